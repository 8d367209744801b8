"""Which heard words are which words of the text: the heaviest chain of matches in both orders.

A match counts only in a run of two or more, weighs more the rarer its word is, and more after the
match of the word before. Pure.
"""

from array import array
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from math import log

MOST_PLACES = 12  # in the text for one heard pair; of a commoner pair, the nearest in proportion
NEXT = 1.5  # added for each match that follows the one before it at once
NONE = -1


def match(
    text: Sequence[str], heard: Sequence[str], *, alone: bool = False
) -> list[tuple[int, int]]:
    """Return (place in the text, place in what was heard) of the words that match, in order.

    In a text that was followed word by word, matches may stand alone.
    """
    candidates = _alike(text, heard) if alone else _candidates(text, heard)
    counts = Counter(text)
    firsts, seconds, befores = array("l"), array("l"), array("l")  # a node each: hours have many
    best = _Prefix(len(text))
    row: dict[int, tuple[float, int]] = {}  # of the last heard word: place -> score, node
    for second, places in enumerate(candidates):
        above, row = row, {}
        for first in places:
            score, before = best.upto(first)
            if (last := above.get(first - 1)) and last[0] + NEXT > score:
                score, before = last[0] + NEXT, last[1]
            weight = 0.5 + log(len(text) / counts[text[first]])
            row[first] = (score + weight, len(firsts))
            firsts.append(first)
            seconds.append(second)
            befores.append(before)  # the node of the match before it in its heaviest chain
        for first, (score, node) in row.items():  # only now, for the next heard word
            best.put(first, score, node)
    found = []
    at = best.upto(len(text))[1]
    while at != NONE:
        found.append((firsts[at], seconds[at]))
        at = befores[at]
    found.reverse()
    return found if alone else runs(found)


def runs(found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Keep the matches that stand beside another one in both orders."""
    there = set(found)
    return [
        (first, second)
        for first, second in found
        if (first - 1, second - 1) in there or (first + 1, second + 1) in there
    ]


def _candidates(text: Sequence[str], heard: Sequence[str]) -> Iterator[set[int]]:
    """Yield for every heard word its places in the text, if it is in a pair found there."""
    pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at in range(len(text) - 1):
        pairs[text[at], text[at + 1]].append(at)
    before: list[int] = []
    for at, pair in enumerate(zip_longest(heard, heard[1:])):
        places = pairs.get(pair, [])
        if len(places) > MOST_PLACES:
            middle = bisect_left(places, at * len(text) // len(heard))
            first = min(max(0, middle - MOST_PLACES // 2), len(places) - MOST_PLACES)
            places = places[first : first + MOST_PLACES]
        yield {*places, *(place + 1 for place in before)}
        before = places


def _alike(text: Sequence[str], heard: Sequence[str]) -> Iterator[set[int]]:
    return ({first for first, word in enumerate(text) if word == said} for said in heard)


class _Prefix:
    """The best score among places before a place, and its node; a Fenwick tree of maxima."""

    def __init__(self, size: int) -> None:
        self.best: list[tuple[float, int]] = [(0.0, NONE)] * (size + 2)

    def upto(self, end: int) -> tuple[float, int]:
        """Return the best of the places before `end`."""
        found = (0.0, NONE)
        while end > 0:
            if self.best[end][0] > found[0]:
                found = self.best[end]
            end -= end & -end
        return found

    def put(self, at: int, score: float, node: int) -> None:
        at += 1
        while at < len(self.best):
            if score > self.best[at][0]:
                self.best[at] = (score, node)
            at += at & -at
