"""A transcript's text as segments of words, each word with the key the recogniser knows it by."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from recordings.alignment.pronouncing import Dictionary, pronounce

PHONE_MS = 75  # at 150 words a minute
COMMA_MS = 250  # of a pause after it
LONGEST_SEGMENT = 30  # words; a text without full stops is cut there, if it can be at a comma
SENTENCE = re.compile(r"\S.*?(?:[.?!…]+[\"')\]”’]*(?=\s)|\n|$)", re.DOTALL)  # noqa: RUF001
ABBREVIATED = re.compile(r"\b(?:mr|mrs|ms|dr|st|no|vs|[a-z])\.$", re.IGNORECASE)

BRACKETS = re.compile(r"\[[^\[\]]*\]")
NAME = re.compile(
    rf"(?:{BRACKETS.pattern}\s*)*((?:[^\s:]+ ){{0,2}}[^\s:]+:)(?=\s)"
)  # before a sentence, if before others too


@dataclass(frozen=True, slots=True)
class Token:
    """A word as written, and how long it usually takes; `key` is "" for what nobody can say."""

    word: str
    key: str
    segment: int
    length_ms: int = 0


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, long ones in pieces."""
    found: list[str] = []
    is_open = False
    for match in SENTENCE.finditer(text):
        sentence = " ".join(match[0].split())
        if is_open:
            found[-1] += f" {sentence}"
        else:
            found.append(sentence)
        is_open = bool(ABBREVIATED.search(sentence)) and not match[0].endswith("\n")
    return [piece for sentence in found for piece in _pieces(sentence.split())]


def _pieces(words: list[str]) -> Iterator[str]:
    while len(words) > LONGEST_SEGMENT:
        commas = [at for at in range(LONGEST_SEGMENT, 8, -1) if words[at - 1][-1] in ",;:"]
        cut = commas[0] if commas else LONGEST_SEGMENT
        yield " ".join(words[:cut])
        words = words[cut:]
    if words:
        yield " ".join(words)


def tokens(segments: list[str], known: Dictionary) -> tuple[list[Token], dict[str, list[str]]]:
    """Return the words of segments, and the pronunciations of their keys."""
    found: list[Token] = []
    sounds: dict[str, list[str]] = {}
    for number, (segment, remark) in enumerate(zip(segments, _remarks(segments), strict=True)):
        for match in re.finditer(r"\S+", segment):
            word = match[0]
            if any(start <= match.start() < end for start, end in remark):
                found.append(Token(word, "", number))
                continue
            key = re.sub(r"[()\s]|^\W+|\W+$", "", word.lower()) or word
            if key not in sounds:
                sounds[key] = pronounce(word, known)
            length_ms = PHONE_MS * len(sounds[key][0].split()) if sounds[key] else 0
            length_ms += COMMA_MS if word[-1] in ",;:" else 0
            found.append(Token(word, key if sounds[key] else "", number, length_ms))
    return found, {key: each for key, each in sounds.items() if each}


def _remarks(segments: list[str]) -> Iterator[list[tuple[int, int]]]:
    """Yield where in each segment stands what nobody says: who speaks, and [what is heard]."""
    names = [NAME.match(segment) for segment in segments]
    often = Counter(name[1] for name in names if name)
    for segment, name in zip(segments, names, strict=True):
        found = [match.span() for match in BRACKETS.finditer(segment)]
        yield [*found, name.span(1)] if name and often[name[1]] > 1 else found
