"""What people write about a recording: at a moment, about a span or the whole of it, in threads.

write -> edit, delete (the author) -> resolve, reopen (anybody who writes notes)

A change, its row of the audit trail and the recording's version are one transaction. The trail
says who did what to which comment, never its words: operators read the trail, and not comments.
No row is ever deleted, so an answer that is on its way finds what it answers.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from access import audit
from recordings.models import Comment, Recording
from recordings.moments import Place
from recordings.notes import Person, person

LONGEST = 4_000
MOST = 200  # on one recording: its page shows them all, with a form for each


class NotNow(Exception):
    """Says why a comment cannot be written or changed as things are."""


@dataclass(frozen=True)
class Thread:
    """A comment and its answers, oldest first."""

    comment: Comment
    answers: Sequence[Comment]

    @property
    def is_open(self) -> bool:
        return self.comment.resolved_at is None

    @property
    def moment(self) -> tuple[int, datetime]:
        """Return what sorts it by moment: about the whole recording first."""
        start_ms = self.comment.start_ms
        return (-1 if start_ms is None else start_ms, self.comment.written_at)


def threads(recording: Recording) -> list[Thread]:
    """Return what is to be read about a recording, in the order in which it was written."""
    rows = list(recording.comments.order_by("written_at", "pk"))
    answers: dict[UUID, list[Comment]] = {row.pk: [] for row in rows}
    for row in rows:
        if row.parent_id and not row.is_deleted:
            answers[row.parent_id].append(row)
    return [
        Thread(row, answers[row.pk])
        for row in rows
        if row.parent_id is None and (answers[row.pk] or not row.is_deleted)
    ]


def write(
    recording: Recording,
    text: str,
    by: Person,
    *,
    press: UUID,
    place: Place = (None, None),
    answers: Comment | None = None,
) -> Comment:
    """Add a comment, or an answer to one; the same press again is the same comment.

    Raises NotNow if there are too many.
    """
    start_ms, end_ms = place
    row = Comment(
        id=press,
        recording=recording,
        parent_id=None if answers is None else answers.parent_id or answers.pk,  # one level deep
        by_id=by.pk,
        name=person(by),
        text=text,
        start_ms=start_ms,
        end_ms=end_ms,
        written_at=timezone.now(),
    )
    with transaction.atomic():
        # held, so that the second press of a double click finds what the first one wrote
        Recording.objects.select_for_update(no_key=True).get(pk=recording.pk)
        if (known := Comment.objects.filter(pk=press).first()) is not None:
            if _is_same(known, row):
                return known
            row.pk = uuid.uuid4()  # the form came back by the Back button, with another text
        if recording.comments.count() >= MOST:
            raise NotNow(f"This recording has {MOST} comments, and there can be no more.")
        row.save(force_insert=True)
        _note(row, by, "comment")
    return row


def edition(comment: Comment) -> str:
    """Return what tells the texts of a comment apart."""
    return "" if comment.edited_at is None else comment.edited_at.isoformat()


def edit(comment: Comment, text: str, by: Person, *, seen: str) -> bool:
    """Replace the text whose edition was seen; say whether anything changed.

    Raises NotNow if it changed meanwhile.
    """
    with transaction.atomic():
        held = Comment.objects.select_for_update(no_key=True).get(pk=comment.pk)
        if held.is_deleted:
            raise NotNow("You deleted this comment in another window. Save it as a new one.")
        if held.text == text:
            return False
        if edition(held) != seen:
            raise NotNow("You changed this comment in another window. Save again to replace it.")
        return _move(held, by, "edit comment", text=text, edited_at=timezone.now())


def delete(comment: Comment, by: Person) -> bool:
    """Take the text of a comment back, for good; its answers stay. Say whether it was there."""
    with transaction.atomic():
        held = Comment.objects.select_for_update(no_key=True).get(pk=comment.pk)
        if held.is_deleted:
            return False
        return _move(held, by, "delete comment", text="", edited_at=timezone.now())


def resolve(comment: Comment, by: Person) -> bool:
    """Close a thread; say whether it was open."""
    with transaction.atomic():
        held = Comment.objects.select_for_update(no_key=True).get(pk=comment.pk)
        if held.resolved_at is not None:
            return False
        now = timezone.now()
        return _move(held, by, "resolve comment", resolved_at=now, resolved_by=person(by))


def reopen(comment: Comment, by: Person) -> bool:
    """Open a thread again; say whether it was resolved."""
    with transaction.atomic():
        held = Comment.objects.select_for_update(no_key=True).get(pk=comment.pk)
        if held.resolved_at is None:
            return False
        return _move(held, by, "reopen comment", resolved_at=None, resolved_by="")


def _is_same(known: Comment, row: Comment) -> bool:
    """Say whether a comment is what this press wanted to write, or was until its author edited."""
    same = (known.recording_id, known.by_id, known.parent_id) == (
        row.recording_id,
        row.by_id,
        row.parent_id,
    )
    return same and (known.text == row.text or known.edited_at is not None)


def _move(held: Comment, by: Person, verb: str, **columns: object) -> bool:
    Comment.objects.filter(pk=held.pk).update(**columns)
    _note(held, by, verb)
    return True


def _note(comment: Comment, by: Person, verb: str) -> None:
    Recording.objects.filter(pk=comment.recording_id).change()
    audit.record(by, verb, f"recording {comment.recording_id}", comment=str(comment.pk))
