"""What somebody typed into clauses, each of which a recording must meet.

    refund          the word or another form of it, said or in a party's name or address
    "my refund"     exactly these words in this order, said
    refun*          words that begin so
    -refund         none of these

A clause is a check of the document (`document.py`) and a condition that an index can answer.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.db.models import Q

from recordings.search.words import stem, words

NUMBER = re.compile(r"[\d\s()+./-]*\d[\d\s()+./-]*")
ITEM = re.compile(r'(-?)(?:"([^"]*)"?|([^\s"]+))')
SHORTEST_BEGINNING = 3  # letters before a *, so that not half of all words begin so
STEM, PARTY, DIGIT = "~", "@", "#"  # what no word begins with
FULL_LENGTH = 7  # digits; of such a number, leading zeros are a prefix for dialling
MOST_DIGITS = 20  # of a number, from its end; E.164 has at most 15

Run = tuple[str, ...]  # tokens that follow each other


class Unclear(Exception):
    """What was typed cannot be searched for; the text says why, without naming the field."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Any of some runs of tokens, of words said and of parties."""

    said: tuple[Run, ...] = ()
    party: tuple[Run, ...] = ()
    begins: bool = False  # the last token of each run is but the beginning of one
    is_wanted: bool = True

    @property
    def runs(self) -> tuple[Run, ...]:
        return self.said + self.party

    @property
    def asked(self) -> tuple[Run, ...]:
        """Return what an index is asked for: of whatever holds refunds, the stem is there too."""
        stems = {run: (STEM + stem(run[0]),) for run in self.said if len(run) == 1}
        return tuple(
            run
            for run in self.runs
            if run not in stems or stems[run] not in self.said or stem(run[0]) == run[0]
        )

    @property
    def is_simple(self) -> bool:
        """Say whether the index alone answers it: it knows no order of words."""
        return all(len(run) == 1 for run in self.runs)

    def check(self) -> Q:
        """Return the clause as a condition on search texts: slow for many, and always right."""
        after = "" if self.begins else " "
        match = Q(pk__in=[])
        for run in self.runs:
            match |= Q(document__contains=f" {' '.join(run)}{after}")
        return match if self.is_wanted else ~match

    def split(self) -> "Iterator[Clause]":
        """Yield the words of its only run; whatever meets the clause meets each of them."""
        *whole, last = self.runs[0]
        yield from (Clause(said=((word,),)) for word in whole)
        yield Clause(said=((last,),), begins=self.begins)

    def for_those_who_may_not_read(self) -> "Clause":
        """Keep the parties alone."""
        return replace(self, said=())


def parse(text: str) -> list[Clause]:
    """Read a search for words. Raises Unclear."""
    clauses = list(_clauses(text, is_said=True))
    if not clauses:
        raise Unclear(f"{text[:40]!r} holds no word.")
    if not any(clause.is_wanted for clause in clauses):
        raise Unclear(f"{text[:40]!r} only says what to leave out; add a word to look for.")
    return clauses


def parse_party(text: str) -> list[Clause]:
    """Read a search for a party: a number, or words of a name or address. Raises Unclear."""
    if NUMBER.fullmatch(text):
        return [ending(text)]
    clauses = [replace(clause, said=()) for clause in _clauses(text, is_said=False)]
    if not clauses:
        raise Unclear(f"{text[:40]!r} holds no word of a name or address.")
    if not any(clause.is_wanted for clause in clauses):
        raise Unclear(f"{text[:40]!r} only says whom to leave out; add whom to look for.")
    return clauses


def ending(number: str) -> Clause:
    """Match both parties by the last digits, in whatever spelling they are given."""
    digits = re.sub(r"\D", "", number)
    endings = {digits}
    if len(digits) >= FULL_LENGTH:
        endings.add(digits.lstrip("0") or digits)
    runs = tuple((DIGIT + each[::-1][:MOST_DIGITS],) for each in sorted(endings))
    return Clause(party=runs)


def _clauses(text: str, *, is_said: bool) -> Iterator[Clause]:
    for match in ITEM.finditer(text):
        minus, quoted, plain = match.groups()
        item = plain if quoted is None else quoted
        found = words(item)
        if not found:
            continue
        begins = item.endswith("*")
        if begins and len(found[-1]) < SHORTEST_BEGINNING:
            raise Unclear(f"{item[:40]!r} needs at least {SHORTEST_BEGINNING} letters before *.")
        named = (tuple(PARTY + word for word in found),)
        yield Clause(
            said=_said(found, is_exact=begins or quoted is not None),
            party=() if is_said and quoted is not None else named,
            begins=begins,
            is_wanted=not minus,
        )


def _said(found: list[str], *, is_exact: bool) -> tuple[Run, ...]:
    if is_exact or len(found) > 1:
        return (tuple(found),)
    word, root = found[0], stem(found[0])
    return tuple((token,) for token in dict.fromkeys([word, root, STEM + root]))
