"""Which heard words are which words of the text: the heaviest chain of matches in both orders.

A match counts only in a run of two or more, weighs more the rarer its word is, and more after the
match of the word before. Pure.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from math import log

MOST_PLACES = 12  # in the text for one heard pair; of a commoner pair, the nearest in proportion
NEXT = 1.5  # added for each match that follows the one before it at once


def match(
    text: Sequence[str], heard: Sequence[str], *, alone: bool = False
) -> list[tuple[int, int]]:
    """Return (place in the text, place in what was heard) of the words that match, in order.

    In a text that was followed word by word, matches may stand alone.
    """
    candidates = _alike(text, heard) if alone else _candidates(text, heard)
    counts: dict[str, int] = defaultdict(int)
    for word in text:
        counts[word] += 1
    chain: dict[tuple[int, int], tuple[float, tuple[int, int] | None]] = {}
    best = _Prefix(len(text))
    for second in sorted(candidates):
        scored = []
        for first in candidates[second]:
            weight = 0.5 + log(len(text) / counts[text[first]])
            score, before = best.upto(first)
            if (last := chain.get((first - 1, second - 1))) and last[0] + NEXT > score:
                score, before = last[0] + NEXT, (first - 1, second - 1)
            chain[first, second] = (score + weight, before)
            scored.append((score + weight, (first, second)))
        for score, place in scored:  # only now, for the next heard word
            best.put(place[0], score, place)
    found = []
    last_place = best.upto(len(text))[1]
    while last_place:
        found.append(last_place)
        last_place = chain[last_place][1]
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


def _candidates(text: Sequence[str], heard: Sequence[str]) -> dict[int, set[int]]:
    """Return the places in the text for every heard word that is in a pair found there."""
    pairs: dict[tuple[str, str], list[int]] = defaultdict(list)
    for at in range(len(text) - 1):
        pairs[text[at], text[at + 1]].append(at)
    found: dict[int, set[int]] = defaultdict(set)
    for at in range(len(heard) - 1):
        places = pairs.get((heard[at], heard[at + 1]), [])
        if len(places) > MOST_PLACES:
            middle = bisect_left(places, at * len(text) // len(heard))
            first = min(max(0, middle - MOST_PLACES // 2), len(places) - MOST_PLACES)
            places = places[first : first + MOST_PLACES]
        found[at].update(places)
        found[at + 1].update(place + 1 for place in places)
    return found


def _alike(text: Sequence[str], heard: Sequence[str]) -> dict[int, set[int]]:
    return {
        second: {first for first, word in enumerate(text) if word == said}
        for second, said in enumerate(heard)
    }


class _Prefix:
    """The best score among places before a place; a Fenwick tree of maxima."""

    def __init__(self, size: int) -> None:
        self.best: list[tuple[float, tuple[int, int] | None]] = [(0.0, None)] * (size + 2)

    def upto(self, end: int) -> tuple[float, tuple[int, int] | None]:
        """Return the best of the places before `end`."""
        found: tuple[float, tuple[int, int] | None] = (0.0, None)
        while end > 0:
            if self.best[end][0] > found[0]:
                found = self.best[end]
            end -= end & -end
        return found

    def put(self, at: int, score: float, place: tuple[int, int]) -> None:
        at += 1
        while at < len(self.best):
            if score > self.best[at][0]:
                self.best[at] = (score, place)
            at += at & -at
