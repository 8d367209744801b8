"""The sounds of words: by the recogniser's dictionary, else by rules from letters to sounds.

The rules are rough, and rough is enough: a name only has to be found between its neighbours.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import groupby

from recordings.alignment import spoken

# Letters and their sounds; the longest that fits wins.
RULES = dict(
    rule.split(":")
    for rule in """
augh:AO, ough:AO, eigh:EY, igh:AY, tion:SH AH N, sion:ZH AH N, tch:CH, sch:SH, dge:JH,
ture:CH ER, cious:SH AH S, ious:IY AH S, sh:SH, ch:CH, th:TH, ph:F, wh:W, ck:K, qu:K W,
ng:NG, kn:N, wr:R, gh:G, zh:ZH, cz:CH, sz:SH, rz:ZH, dz:JH, ee:IY, ea:IY, oo:UW, ou:AW,
ow:OW, oa:OW, oi:OY, oy:OY, ai:EY, ay:EY, au:AO, aw:AO, ei:EY, ey:IY, ie:IY, eu:UW, ew:UW,
ue:UW, ui:UW, ia:IY AH, io:IY OW, ar:AA R, er:ER, ir:ER, ur:ER, or:AO R, ce:S, ci:S IH,
cy:S IY, ge:JH, a:AE, b:B, c:K, d:D, e:EH, f:F, g:G, h:HH, i:IH, j:JH, k:K, l:L, m:M, n:N,
o:AA, p:P, q:K, r:R, s:S, t:T, u:AH, v:V, w:W, x:K S, y:Y, z:Z
""".strip()
    .replace(",\n", ", ")
    .split(", ")
)
LONG = {"a": "EY", "e": "IY", "i": "AY", "o": "OW", "u": "UW"}  # before a consonant and silent e
AT_THE_END = {"e": "", "a": "AH", "o": "OW", "i": "IY", "y": "IY", "es": "Z", "ed": "D"}
FOREIGN = str.maketrans({"ß": "ss", "ø": "o", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th"})
LONGEST_RULE = max(map(len, RULES))


class Dictionary:
    """The recogniser's dictionary: a word -> its pronunciations, as phones with blanks.

    It stays the text that it is, by first letter: as lists it would take ten times the memory.
    """

    def __init__(self, lines: Iterable[str] = ()) -> None:
        self.sections = {
            letter: "\n" + "".join(each) for letter, each in groupby(lines, lambda line: line[0])
        }

    def __contains__(self, word: str) -> bool:
        return f"\n{word} " in self.sections.get(word[:1], "")

    def __getitem__(self, word: str) -> list[str]:
        """Return the pronunciations; the further ones are written "word(2)"."""
        lines = rf"\n{re.escape(word)}(?:\(\d+\))? (.+)"
        return re.findall(lines, self.sections.get(word[:1], ""))


def pronounce(word: str, known: Dictionary) -> list[str]:
    """Return the pronunciations of a written word; none when it is a mere sign."""
    found: list[str] = []
    for way in spoken.ways(word):
        parts = [_sounds(part, known) for part in way.split()]
        if len(parts) == 1:
            found += parts[0]
        else:  # the usual pronunciation of each part is enough
            found.append(" ".join(part[0] for part in parts if part))
    return list(dict.fromkeys(filter(None, found)))[: spoken.MOST]


def _sounds(word: str, known: Dictionary) -> list[str]:
    """Return how a spoken word sounds: as in the dictionary, as two words of it, or by rules."""
    word = word.strip("'")
    if word in known:
        return known[word]
    plain = _latin(word)
    if plain.endswith("'s") and plain[:-2] in known:
        return [f"{known[plain[:-2]][0]} Z"]
    plain = plain.replace("'", "")
    if plain in known:
        return known[plain]
    for cut in range(len(plain) - 3, 2, -1):
        if plain[:cut] in known and plain[cut:] in known:
            return [f"{known[plain[:cut]][0]} {known[plain[cut:]][0]}"]
    if 1 < len(plain) < 6 and not re.search("[aeiouy]", plain):
        return [" ".join(known[letter][0] for letter in plain if letter in known)]
    return [sounds] if (sounds := by_rules(plain)) else []


def _latin(word: str) -> str:
    """Return a word in plain a-z and apostrophes."""
    bare = unicodedata.normalize("NFKD", word.translate(FOREIGN))
    return re.sub(r"[^a-z']", "", bare)


def by_rules(word: str) -> str:
    """Return the sounds that the letters of a word suggest."""
    phones: list[str] = []
    at = 0
    while at < len(word):
        if at and (end := AT_THE_END.get(word[at:])) is not None:
            phones.append(end)
            break
        if word[at] in LONG and re.match(r"[bcdfgklmnpstvz]e$", word[at + 1 :]):
            phones.append(LONG[word[at]])
            at += 1
            continue
        size = next(n for n in range(LONGEST_RULE, 0, -1) if word[at : at + n] in RULES)
        phones.append(RULES[word[at : at + size]])
        at += size
        while at < len(word) and word[at] == word[at - 1] and word[at] not in LONG:
            at += 1  # a double consonant sounds once
    return " ".join(filter(None, phones))
