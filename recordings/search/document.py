"""The text by which a recording is found: what was said, and tokens for who spoke.

    " i want my refunds ~refund @sip @alice @example @com #0 #00 #001 ... #00105552121 "

~ stems of words   @ words of names and addresses   # every end of a number, its last digit first

Beside it are kept the sentences as they are shown, a line each, after the millisecond at which it
is said: fifty transcripts, with a time for every word, are ten times as much.

    "4200 I want my refunds.\\n Nobody knows when this was said.\\n"
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from recordings.search.query import DIGIT, MOST_DIGITS, PARTY, STEM
from recordings.search.words import stem, words

Line = tuple[str, int | None]  # a sentence, and the millisecond at which it starts
WIDE = 2_100  # characters; only from some 2,000 bytes on PostgreSQL moves a text out of its row


def as_kept(document: str, vendor: str) -> str:
    """Return a document as its row holds it.

    PostgreSQL's are filled up, so that all are compressed and moved out: a search goes through
    the rows, which are then 70 bytes each, and the whole takes half as much.
    """
    return document.ljust(WIDE) if vendor == "postgresql" else document


def document(said: str, addresses: Sequence[str], name: str = "") -> str:
    """Return the searched text of a recording; every token stands between spaces."""
    spoken = words(said)
    stems = {STEM + stem(word) for word in set(spoken) if stem(word) != word}
    parties = dict.fromkeys([*addresses, name])
    named = [PARTY + word for party in parties for word in words(party)]
    tokens = [*spoken, *sorted(stems), *named, *_digits(addresses)]
    return f" {' '.join(tokens)} "


def lines(sentences: Iterable[Line]) -> str:
    """Return sentences as they are kept."""
    return "".join(
        f"{'' if start_ms is None else start_ms} {' '.join(text.split())}\n"
        for text, start_ms in sentences
    )


def read_lines(kept: str) -> Iterator[Line]:
    """Yield the sentences that are kept."""
    for line in kept.splitlines():
        start, _, text = line.partition(" ")
        yield text, int(start) if start else None


def _digits(addresses: Iterable[str]) -> Iterator[str]:
    """Return each end of each number once: a token for every search, whatever its length."""
    reverses = [reversed_digits(address) for address in addresses]
    ends = (reverse[: length + 1] for reverse in reverses for length in range(len(reverse)))
    return iter(dict.fromkeys(DIGIT + end for end in ends))


def reversed_digits(number: str) -> str:
    """Return the digits of a number from the last to the first; of a SIP address, of its user."""
    return re.sub(r"\D", "", number.partition("@")[0])[::-1][:MOST_DIGITS]
