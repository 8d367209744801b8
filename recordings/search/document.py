"""The text by which a recording is found: what was said, and tokens for who spoke.

    " i want my refunds ~refund @sip @alice @example @com #0 #00 #001 #0010 #00105552121 "

~ the stems of words   @ the words of names and addresses   # the digits of numbers, last one first
"""

import re
from collections.abc import Iterator, Sequence

from recordings.search.query import DIGIT, ENDINGS, MOST_DIGITS, PARTY, STEM
from recordings.search.words import stem, words


def document(said: str, addresses: Sequence[str], name: str = "") -> str:
    """Return the searched text of a recording; every token stands between spaces."""
    spoken = words(said)
    stems = {STEM + stem(word) for word in set(spoken) if stem(word) != word}
    parties = dict.fromkeys([*addresses, name])
    named = [PARTY + word for party in parties for word in words(party)]
    tokens = [*spoken, *sorted(stems), *named, *_digits(addresses)]
    return f" {' '.join(tokens)} "


def _digits(addresses: Sequence[str]) -> Iterator[str]:
    """Return the ends of numbers, each once: few digits as a token, many begin the whole one."""
    reverses = filter(None, map(reversed_digits, addresses))
    return iter(
        dict.fromkeys(
            DIGIT + reverse[:length] for reverse in reverses for length in (*ENDINGS, MOST_DIGITS)
        )
    )


def reversed_digits(number: str) -> str:
    """Return the digits of a number from the last to the first; of a SIP address, of its user."""
    return re.sub(r"\D", "", number.partition("@")[0])[::-1][:MOST_DIGITS]
