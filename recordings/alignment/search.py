"""Finds the words of a text in a track: first by ear, then by following the text in between.

heard words -> anchors (runs of two and more) -> gaps heard again -> gaps followed word by word
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

from recordings.alignment import matching
from recordings.alignment.recogniser import Heard, Recogniser
from recordings.alignment.sound import Span, Track, pieces
from recordings.alignment.text import Token

Found = dict[int, Heard]  # a word's place in the text -> where it was heard

LEAST_SHARE = 0.15  # of a text is heard at once: 0.3 in noise, at most 0.1 of another call's
HASTE, SLOWNESS = 0.35, 3.0  # a stretch between anchors may take from so much to so many times
PAUSE_MS = 4_000  # that may lie between anchors on top of it
FEW = 3  # words of a run that must fit between its neighbours
LONGEST_MS = 25_000  # of a stretch to follow
SHORTEST_MS = 1_500  # of a stretch worth hearing again
MANY = 5  # words worth hearing again
BETWEEN, BESIDE = 0.75, 0.5  # of a proof is a followed word: any speech resembles some of a text
STRAYS = 4  # words; of 15 sentences with a break after the fourth, 12 had words misplaced
BREAK_MS = 600
AGREEMENT_MS = 150  # between an anchor and itself, followed


class Gap(NamedTuple):
    """Words not found yet, first to last, and the time in which they must be."""

    first: int
    last: int
    span: Span


def find(track: Track, tokens: Sequence[Token], ears: Recogniser) -> Found:
    """Return where the words of a text are heard."""
    text = _Text(tokens)
    found = text.listen(track, ears, Gap(0, len(tokens) - 1, Span(0, track.duration_ms)))
    if len(found) < LEAST_SHARE * len(text.spoken(0, len(tokens) - 1)):
        return {}  # it is the text of something else
    for gap in text.gaps(found, track.duration_ms):
        if gap.last - gap.first + 1 >= MANY and gap.span.end_ms - gap.span.start_ms >= SHORTEST_MS:
            found |= text.listen(track, ears, gap)
    found = text.plausible(found)
    for gap in text.gaps(found, track.duration_ms):
        found |= text.follow(track, ears, gap, found)
    return text.without_strays(
        {place: word for place, word in found.items() if _sounds(track, word)}
    )


class _Text:
    """The words to find."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.keys = [token.key for token in tokens]
        self.segments = [token.segment for token in tokens]
        self.sums = list(accumulate((token.length_ms for token in tokens), initial=0))

    def needs_ms(self, first: int, last: int) -> int:
        """Return how long words take, first to last."""
        return self.sums[last + 1] - self.sums[first]

    def spoken(self, first: int, last: int) -> list[int]:
        return [place for place in range(first, last + 1) if self.keys[place]]

    def listen(self, track: Track, ears: Recogniser, gap: Gap) -> Found:
        """Hear a stretch, and return the runs of its words that are also in the text."""
        places = self.spoken(gap.first, gap.last)
        if len(places) < 2:
            return {}
        ears.expect(self.keys[place] for place in places)
        spans = pieces(track, gap.span)
        heard = [word for span in spans for word in ears.hear(track, span) if _sounds(track, word)]
        matches = matching.match(
            [self.keys[place] for place in places], [word.key for word in heard]
        )
        return self.plausible({places[first]: heard[second] for first, second in matches})

    def plausible(self, found: Found) -> Found:
        """Drop the short runs that have too little or too much time beside their neighbours."""
        runs = _runs(found)
        kept: list[list[int]] = []
        for at, run in enumerate(runs):
            sides = [*kept[-1:], *runs[at + 1 : at + 2]]
            if len(run) > FEW or not sides or all(self._fits(found, run, side) for side in sides):
                kept.append(run)
        return {place: found[place] for run in kept for place in run}

    def _fits(self, found: Found, run: list[int], side: list[int]) -> bool:
        before, after = sorted((run, side))
        passed = found[after[0]].start_ms - found[before[-1]].end_ms
        need = self.needs_ms(before[-1] + 1, after[0] - 1)
        return HASTE * need <= passed <= SLOWNESS * need + PAUSE_MS

    def without_strays(self, found: Found) -> Found:
        """Drop up to four words at either end of a sentence that a pause parts from it.

        They are mostly heard in the sentence before, or after.
        """
        kept: Found = {}
        for _, group in groupby(sorted(found), key=self.segments.__getitem__):
            places = list(group)
            breaks = [
                at for at, pair in enumerate(pairwise(places), 1) if self._is_break(found, *pair)
            ]
            first = max((at for at in breaks if at <= STRAYS), default=0)
            last = min((at for at in breaks if at >= len(places) - STRAYS), default=len(places))
            kept |= {place: found[place] for place in places[first:last]}
        return kept

    def _is_break(self, found: Found, before: int, after: int) -> bool:
        passed = found[after].start_ms - found[before].start_ms
        return passed > self.needs_ms(before, after - 1) + BREAK_MS

    def gaps(self, found: Found, duration_ms: int) -> Iterator[Gap]:
        """Yield the stretches of words not found."""
        places = sorted(found)
        for before, after in pairwise([-1, *places, len(self.keys)]):
            if not self.spoken(before + 1, after - 1):
                continue
            start = found[before].end_ms if before >= 0 else 0
            end = found[after].start_ms if after < len(self.keys) else duration_ms
            yield Gap(before + 1, after - 1, Span(start, end))

    def follow(self, track: Track, ears: Recogniser, gap: Gap, found: Found) -> Found:
        """Follow the text through a gap, from the anchor before it to the anchor after it."""
        need = self.needs_ms(gap.first, gap.last)
        passed = gap.span.end_ms - gap.span.start_ms
        if passed < HASTE * need:
            return {}
        start, end = gap.span
        places = self.spoken(gap.first, gap.last)
        most = round(min(SLOWNESS * need + PAUSE_MS, LONGEST_MS))
        before, after = found.get(gap.first - 1), found.get(gap.last + 1)
        if before:
            places.insert(0, gap.first - 1)
            start = before.start_ms
        if after:
            places.append(gap.last + 1)
            end = after.end_ms
        if passed > most:
            if before and after:
                return {}
            start, end = (
                (start, gap.span.start_ms + most) if before else (gap.span.end_ms - most, end)
            )
        if not before and not after:
            return {}
        heard = ears.follow(track, Span(start, end), [self.keys[place] for place in places])
        if not _agree(before, heard[0]) or not _agree(after, heard[-1]):
            return {}
        return {
            place: word._replace(proof=BETWEEN if before and after else BESIDE)
            for place, word in zip(places, heard, strict=True)
            if word and place not in found
        }


def _sounds(track: Track, word: Heard) -> bool:
    """Say whether somebody speaks where a word was heard; noise is taken for short ones."""
    return track.has_voice(Span(word.start_ms, word.end_ms))


def _agree(anchor: Heard | None, again: Heard | None) -> bool:
    """Say whether an anchor, if there is one, was found again where it was."""
    if anchor is None:
        return True
    return again is not None and abs(again.start_ms - anchor.start_ms) <= AGREEMENT_MS


def _runs(found: Found) -> list[list[int]]:
    """Return the places found, in runs of neighbours."""
    runs: list[list[int]] = []
    for place in sorted(found):
        if runs and runs[-1][-1] == place - 1:
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs
