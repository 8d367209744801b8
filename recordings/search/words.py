"""Text into words, one way for the index, the question and the marks, whatever the database.

    words("Café's 2nd e-mail") -> ["cafes", "2nd", "e", "mail"]

Letters lose case, marks and compatibility forms; apostrophes join; all that is no letter or digit
parts. Chinese and Japanese letters are words of their own, so a word there is a phrase.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from threading import Lock

APOSTROPHES = "'\u2018\u2019\u02bc\uff07"
UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
PLAIN_WORD = re.compile(r"[a-z0-9]+")
LONGEST = 40  # our choice: letters of a word that count; no spoken word has more
STEMS_KEPT = 100_000  # more than the words of a language that people use

_turn = Lock()  # the stemmer keeps its word in itself


class _Folding(dict[int, str]):
    """What becomes of each character, worked out when it is first met."""

    def __missing__(self, code: int) -> str:
        folded = self[code] = _folded(chr(code))
        return folded


def _folded(letter: str) -> str:
    if letter in APOSTROPHES:
        return ""
    plain = unicodedata.normalize("NFKD", letter.casefold()).casefold()
    kept = (each for each in plain if unicodedata.category(each) not in NOTHING)
    return "".join(kept)


NOTHING = {"Mn", "Mc", "Me", "Cf"}  # marks, and signs that nobody sees
_folding = _Folding()


def words(text: str) -> list[str]:
    """Return the words of a text, in order."""
    if text.isascii():  # the same, three times as quick
        found = PLAIN_WORD.findall(text.lower().replace("'", ""))
        return [word[:LONGEST] for word in found]
    return [word[:LONGEST] for word in WORD.findall(text.translate(_folding))]


def spans(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield every word with where it starts and ends in the text as it is."""
    origins: list[int] = []
    folded: list[str] = []
    for place, letter in enumerate(text):
        for each in _folding[ord(letter)]:
            folded.append(each)
            origins.append(place)
    for match in WORD.finditer("".join(folded)):
        yield origins[match.start()], origins[match.end() - 1] + 1, match[0][:LONGEST]


@cache
def _english() -> Callable[[str], str]:
    import snowballstemmer  # for all languages, which takes a tenth of a second

    stem_of: Callable[[str], str] = snowballstemmer.stemmer("english").stemWord
    return stem_of


@lru_cache(STEMS_KEPT)
def stem(word: str) -> str:
    """Return what the forms of an English word have in common: refund of refunds and refunded."""
    if not word.isascii() or not word.isalpha():
        return word
    with _turn:
        return _english()(word)
