"""Searches for a party by a name of the address book: any of the numbers that have it."""

from dataclasses import replace

from calls import contacts
from recordings.search.query import NUMBER, Clause, ending, parse_party


def named(text: str) -> Clause | None:
    """Match the numbers of the contacts of a name; None if there is no such contact."""
    runs = [run for number in contacts.numbers_of(text) for run in ending(number).party]
    return Clause(party=tuple(runs)) if runs else None


def by_number(text: str) -> Clause:
    """Match a number as it was typed, or those of a contact."""
    if NUMBER.fullmatch(text):
        return ending(text)
    return named(text) or ending(text)


def by_party(text: str) -> list[Clause]:
    """Match a party: a number, words of an address, or the name of a contact. Raises Unclear."""
    clauses = parse_party(text)
    known = None if NUMBER.fullmatch(text) else named(text)
    if known is None:
        return clauses
    if len(clauses) == 1 and clauses[0].is_wanted and not clauses[0].begins:
        return [replace(known, party=known.party + clauses[0].party)]
    return [known]
