"""Corrections of a transcript: each is a revision of all its sentences, and none is ever lost.

    0: as it was -> 1: one sentence corrected -> ... -> restored: again a revision

Two people may correct at once: who writes over a sentence that changed meanwhile is told.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.utils import timezone

from access import audit
from recordings import said
from recordings.fitting import reworded
from recordings.models import Recording, Revision, Transcript
from recordings.search.index import index
from recordings.sentences import Sentence, joined, read, rows

LONGEST = 2_000  # characters of a sentence: some two minutes of speech
MOST_TRIES = 5  # against others who correct other sentences at the same moment

Person = AbstractBaseUser | AnonymousUser
Edit = Callable[[list[Sentence]], list[Sentence]]


class NotPossible(Exception):
    """The correction cannot be made; the text says why."""


class Changed(Exception):
    """Somebody else changed the sentence meanwhile; `now` is what it says, None if it is gone."""

    def __init__(self, now: str | None) -> None:
        super().__init__("Somebody else corrected this sentence meanwhile.")
        self.now = now


@dataclass(frozen=True, slots=True)
class Part:
    """A run of words in a comparison: kept, gone or new."""

    kind: str
    text: str


def correct(
    transcript: Transcript,
    recording: Recording,
    number: int,
    text: str,
    *,
    was: str,
    by: Person,
) -> Transcript:
    """Replace the sentence that said `was`; an empty text removes it. Return the new transcript.

    Raises NotPossible, and Changed if the sentence no longer says that.
    """
    text = " ".join(text.replace("\0", "").split())
    if len(text) > LONGEST:
        raise NotPossible(f"The sentence has {len(text)} characters, the limit is {LONGEST}.")

    def edit(sentences: list[Sentence]) -> list[Sentence]:
        now = sentences[number].text if number < len(sentences) else None
        if now != was:
            raise Changed(now)
        if not text and len(sentences) == 1:
            raise NotPossible("The only sentence of a transcript cannot be removed.")
        new = [reworded(sentences[number], text)] if text else []
        return [*sentences[:number], *new, *sentences[number + 1 :]]

    return _revise(transcript, recording, edit, by=by, sentence=number)


def restore(
    transcript: Transcript, recording: Recording, number: int, *, by: Person
) -> Transcript:
    """Say again what an earlier revision said, as a new one. Raises Revision.DoesNotExist."""
    earlier = Revision.objects.get(transcript=transcript, number=number)
    return _revise(transcript, recording, lambda _: read(earlier.segments), by=by, restored=number)


def _revise(
    transcript: Transcript, recording: Recording, edit: Edit, *, by: Person, **details: object
) -> Transcript:
    for _ in range(MOST_TRIES):
        current = Transcript.objects.get(pk=transcript.pk)
        before = said.sentences_of(current)
        after = edit(before)
        if joined(after) == joined(before):
            return current  # nothing to remember
        with transaction.atomic():
            if _write(current, before, after, by):
                audit.record(
                    by,
                    "correct transcript",
                    recording.subject,
                    transcript=current.pk,
                    revision=current.revision,
                    **details,
                )
                Recording.objects.filter(pk=recording.pk).change()
                index(recording.pk)
                return current
    raise NotPossible("Too many people correct this transcript at once. Try again.")


def _write(
    current: Transcript, before: Sequence[Sentence], after: Sequence[Sentence], by: Person
) -> bool:
    """Make the next revision; return False if somebody else made it, or timed the text."""
    now, number = timezone.now(), current.revision + 1
    columns: dict[str, object] = {
        "segments": rows(after),
        "text": joined(after),
        "revision": number,
    }
    unchanged = Transcript.objects.filter(
        pk=current.pk, revision=current.revision, timing_since=current.timing_since
    )
    if current.timing in Transcript.WANTED:  # its words are timed anew, with the correction
        columns |= {"timing": Transcript.Timing.DUE, "due_at": now, "timing_since": now}
    if not unchanged.update(**columns):
        return False
    if current.revision == 0:
        Revision.objects.create(
            transcript=current, number=0, name=FIRST, at=current.told_at, segments=rows(before)
        )
    Revision.objects.create(
        transcript=current,
        number=number,
        by_id=by.pk,
        name=by.get_username(),
        at=now,
        segments=rows(after),
    )
    current.revision, current.segments, current.text = number, rows(after), joined(after)
    return True


FIRST = "as it was written down"  # in place of a name: nobody here wrote it


def changes(before: Sequence[Sentence], after: Sequence[Sentence]) -> Iterator[list[Part]]:
    """Yield what changed between two revisions: for each place, its words kept, gone and new."""
    old, new = _apart([each.text for each in before], [each.text for each in after])
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield _compared(" ".join(old[i:j]).split(), " ".join(new[k:m]).split())


def _apart(old: list[str], new: list[str]) -> tuple[list[str], list[str]]:
    """Return two lists without what they begin and end with alike: mostly nearly all of them."""
    most = min(len(old), len(new))
    first = next((at for at in range(most) if old[at] != new[at]), most)
    most -= first
    last = next((at for at in range(most) if old[-1 - at] != new[-1 - at]), most)
    return old[first : len(old) - last], new[first : len(new) - last]


def _compared(old: Sequence[str], new: Sequence[str]) -> list[Part]:
    parts: list[Part] = []
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            parts.append(Part("kept", " ".join(old[i:j])))
            continue
        parts += [
            Part(name, " ".join(words))
            for name, words in (("gone", old[i:j]), ("new", new[k:m]))
            if words
        ]
    return parts
