"""The doors for comments: write, answer, edit, delete, resolve, reopen.

For those who may listen as well as write notes. Only its author changes what a comment says.
"""

import uuid
from uuid import UUID

from django import forms
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_POST

from access.policies import Right
from recordings import comments, moments
from recordings.forms.notes import AnswerForm, CommentForm, EditForm
from recordings.models import Comment, Recording
from recordings.views.gates import fails_closed, visible
from recordings.views.notes import done, mend


@require_POST
@fails_closed
def write(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Add a comment."""
    recording = _recording(request, pk)
    form = CommentForm(request.POST, recording=recording, auto_id="comment-%s")
    return _write(request, recording, "comment", form)


@require_POST
@fails_closed
def answer(request: HttpRequest, pk: UUID, comment_pk: UUID) -> HttpResponse:
    """Answer a comment."""
    recording = _recording(request, pk)
    asked = get_object_or_404(recording.comments, pk=comment_pk)
    place = f"answer-{asked.parent_id or asked.pk}"
    return _write(
        request, recording, place, AnswerForm(request.POST, auto_id=f"{place}-%s"), asked
    )


def _write(
    request: HttpRequest,
    recording: Recording,
    place: str,
    form: AnswerForm,
    answers: Comment | None = None,
) -> HttpResponse:
    if not form.is_valid():
        return mend(request, recording, place, form)
    given = form.cleaned_data
    try:
        row = comments.write(
            recording,
            given["text"],
            request.user,
            press=given["press"],
            place=given.get("at", (None, None)),
            answers=answers,
        )
    except comments.NotNow as exc:
        return _refuse(request, recording, place, form, exc)
    said = "Comment saved." if answers is None else "Answer saved."
    return done(request, recording, said, focus=f"comment-{row.pk}")


@require_POST
@fails_closed
def edit(request: HttpRequest, pk: UUID, comment_pk: UUID) -> HttpResponse:
    """Change what one's own comment says."""
    recording = _recording(request, pk)
    comment = _own(request, recording, comment_pk)
    place = f"edit-{comment.pk}"
    form = EditForm(request.POST, auto_id=f"{place}-%s")
    if not form.is_valid():
        return mend(request, recording, place, form)
    given = form.cleaned_data
    try:
        comments.edit(comment, given["text"], request.user, seen=given["seen"])
    except comments.NotNow as exc:
        comment.refresh_from_db()
        return _ask_again(request, comment, given["text"], exc)
    return done(request, recording, "Comment saved.", focus=f"comment-{comment.pk}")


def _ask_again(
    request: HttpRequest, comment: Comment, text: str, why: comments.NotNow
) -> HttpResponse:
    """Show what was written where it can be saved: in place, or as a new comment."""
    recording, place = comment.recording, f"edit-{comment.pk}"
    form: forms.Form
    if comment.is_deleted:
        place, at = "comment", moments.write(comment.start_ms, comment.end_ms)
        given = {"text": text, "at": at, "press": uuid.uuid4()}
        form = CommentForm(given, recording=recording, auto_id="comment-%s")
    else:
        given = {"text": text, "seen": comments.edition(comment)}
        form = EditForm(given, auto_id=f"{place}-%s")
    return _refuse(request, recording, place, form, why)


@require_POST
@fails_closed
def delete(request: HttpRequest, pk: UUID, comment_pk: UUID) -> HttpResponse:
    """Take one's own comment back."""
    recording = _recording(request, pk)
    gone = comments.delete(_own(request, recording, comment_pk), request.user)
    said = "Comment deleted." if gone else "The comment was deleted already."
    return done(request, recording, said, focus="comments")


@require_POST
@fails_closed
def resolve(request: HttpRequest, pk: UUID, comment_pk: UUID) -> HttpResponse:
    """Close a thread."""
    recording = _recording(request, pk)
    comment = get_object_or_404(recording.comments, pk=comment_pk, parent=None)
    focus = f"turn-{comment.pk}"
    if comments.resolve(comment, request.user):
        return done(request, recording, "Resolved.", focus=focus)
    said = "It was resolved already."
    comment.refresh_from_db()
    if comment.resolved_at:  # and not reopened again since
        at = timezone.localtime(comment.resolved_at)
        said = f"At {at:%H:%M:%S} {comment.resolved_by} resolved it already."
    return done(request, recording, said, focus=focus, is_news=True)


@require_POST
@fails_closed
def reopen(request: HttpRequest, pk: UUID, comment_pk: UUID) -> HttpResponse:
    """Open a thread again."""
    recording = _recording(request, pk)
    comment = get_object_or_404(recording.comments, pk=comment_pk, parent=None)
    reopened = comments.reopen(comment, request.user)
    said = "Open again." if reopened else "It was open already."
    return done(request, recording, said, focus=f"turn-{comment.pk}")


def _recording(request: HttpRequest, pk: UUID) -> Recording:
    """Return a recording whose comments the person may read and write: else 404, or 403."""
    visible(request, pk, Right.LISTEN)
    return visible(request, pk, Right.ANNOTATE)


def _own(request: HttpRequest, recording: Recording, pk: UUID) -> Comment:
    """Return a comment of the person's own: else 404, or 403 for somebody else's."""
    comment = get_object_or_404(recording.comments, pk=pk)
    if comment.by_id != request.user.pk:
        raise PermissionDenied("Only its author changes a comment.")
    return comment


def _refuse(
    request: HttpRequest, recording: Recording, place: str, form: forms.Form, why: Exception
) -> HttpResponse:
    """Show the form again, with what is written in it, and why not."""
    form.add_error("text", str(why))
    return mend(request, recording, place, form, status=409)
