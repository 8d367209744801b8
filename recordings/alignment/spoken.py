"""How a written word may be spoken: numbers, amounts, times, abbreviations, addresses.

"$58.20" -> "fifty eight dollars twenty", "fifty eight twenty", ...
"""

import re
from itertools import product

MOST = 6  # ways of saying one word; each costs search
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
POWERS = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
LONGEST_AMOUNT = 6  # digits; longer ones are numbers of something, said digit by digit
ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
SIGNS = {"&": "and", "%": "percent", "@": "at", "+": "plus", "#": "number", "€": "euros"}
ABBREVIATIONS = {"mr": "mister", "mrs": "misses", "dr": "doctor", "st": "street", "vs": "versus"}
MONEY = {"$": ("dollars", "dollar"), "€": ("euros", "euro"), "£": ("pounds", "pound")}
NUMBER = re.compile(r"([$€£])?(\d+)(?:[.:](\d+))?(st|nd|rd|th|[$€£%])?", re.ASCII)
PARTS = re.compile(r"\d+|[^\W\d_]+(?:'[^\W\d_]+)*|[&%@+#€.]")


def ways(word: str) -> list[str]:
    """Return the ways of saying a written word, the likeliest first; none for mere signs."""
    plain = re.sub(r"(?<=\d)[,’](?=\d{3})", "", word.lower().replace("’", "'"))  # noqa: RUF001
    plain = plain.strip("\"'“”‘()[]{}<>*_-–—…,;!?.:")  # noqa: RUF001
    if found := NUMBER.fullmatch(plain):
        return _unique(_number(*found.groups()))
    parts = PARTS.findall(plain)
    if not any(part.isalnum() or part in SIGNS for part in parts):
        return [plain] if re.search(r"\w", plain) else []
    has_dot = "@" in parts or len(parts) > 2
    said = [_part(part, has_dot=has_dot) for part in parts]
    return _unique([" ".join(filter(None, each)) for each in product(*said)][: 2 * MOST])


def _unique(said: list[str]) -> list[str]:
    return list(dict.fromkeys(said))[:MOST]


def _part(part: str, *, has_dot: bool) -> list[str]:
    if part.isdecimal():
        return integer(part)[:3]
    if part == ".":
        return ["dot", ""] if has_dot else [""]
    return [SIGNS.get(part) or ABBREVIATIONS.get(part) or part]


def _number(currency: str | None, whole: str, rest: str | None, mark: str | None) -> list[str]:
    """Return the ways of saying an amount, a time, an ordinal or a plain number."""
    currency = currency or (mark if mark in MONEY else None)
    said = integer(whole)
    if currency:
        return _money(cardinal(int(whole[:15])), rest, MONEY[currency])
    if rest:
        after = integer(rest) if len(rest) < 3 else []
        said = [
            f"{said[0]} point {digits(rest)}",
            *(f"{said[0]} {each}" for each in after),
            *([f"{said[0]} o'clock", said[0]] if rest == "00" else []),
        ]
    if mark == "%":
        return [f"{each} percent" for each in said]
    return [ordinal(said[0])] if mark else said


def _money(amount: str, cents: str | None, names: tuple[str, str]) -> list[str]:
    name = names[1] if amount == "one" else names[0]
    if not cents or not int(cents):
        return [f"{amount} {name}", amount]
    small = cardinal(int(cents[:2].ljust(2, "0")))
    return [
        f"{amount} {name} and {small} cents",
        f"{amount} {name} {small}",
        f"{amount} {name} and {small}",
        f"{amount} {small}",
    ]


def integer(written: str) -> list[str]:
    """Return the ways of saying a row of digits."""
    spelled = [digits(written), digits(written).replace("zero", "oh")]
    if len(written) > LONGEST_AMOUNT or (written.startswith("0") and len(written) > 1):
        return spelled
    whole = cardinal(int(written))
    if len(written) < 3:
        return [whole, *spelled]
    head, tail = written[:-2], written[-2:]
    pairs = f"{cardinal(int(head))} {_pair(tail)}"
    if len(written) == 4 and tail != "00":
        return [pairs, *spelled, whole, whole.replace("hundred ", "hundred and ")]
    if len(written) == 4 and not written.endswith("000"):
        return [f"{cardinal(int(head))} hundred", whole, *spelled]
    return [whole, whole.replace("hundred ", "hundred and "), *spelled, pairs]


def _pair(tail: str) -> str:
    return f"oh {ONES[int(tail[1])]}" if tail[0] == "0" else cardinal(int(tail))


def digits(written: str) -> str:
    """Say digit by digit."""
    return " ".join(ONES[int(digit)] for digit in written)


def cardinal(value: int) -> str:
    """Say an amount."""
    if value < 20:
        return ONES[value]
    if value < 100:
        return f"{TENS[value // 10]} {ONES[value % 10] if value % 10 else ''}".strip()
    size, name = next(power for power in POWERS if value >= power[0])
    rest = f" {cardinal(value % size)}" if value % size else ""
    return f"{cardinal(value // size)} {name}{rest}"


def ordinal(said: str) -> str:
    """Turn "twenty one" into "twenty first"."""
    head, _, last = said.rpartition(" ")
    last = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{head} {last}".strip()
