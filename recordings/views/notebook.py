"""What one person is shown of the notes of a recording: each with the form that changes it."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from django import forms
from django.http import HttpRequest

from access.policies import Right, may
from recordings import comments
from recordings.forms.notes import AnswerForm, CommentForm, EditForm, FlagForm, TagForm
from recordings.models import Comment, Recording, Review, Tag, Tagging
from recordings.views.gates import note

MOST_SUGGESTED = 500
SHOW, ORDER = "comments", "comments_by"  # in the address: open, and newest


@dataclass(frozen=True)
class Entry:
    """A comment on the page, with the form its reader may change it by."""

    comment: Comment
    edit: forms.Form | None = None
    answer: forms.Form | None = None
    answers: Sequence["Entry"] = ()


@dataclass
class Notebook:
    """What the section shows one person; `failed` are forms to be mended, by their place."""

    request: HttpRequest
    recording: Recording
    failed: dict[str, forms.Form] = field(default_factory=dict)
    focus: str = ""  # the id of what was just written

    @cached_property
    def review(self) -> Review | None:
        return Review.objects.filter(recording=self.recording).first()

    @cached_property
    def taggings(self) -> list[Tagging]:
        rows = self.recording.taggings.select_related("tag")
        return list(rows.order_by("tag__name"))

    @property
    def tag_form(self) -> forms.Form:
        form = self.failed.get("tag") or TagForm(auto_id="tag-%s")
        names = Tag.objects.values_list("name", flat=True)[:MOST_SUGGESTED]
        form.fields["name"].suggestions = list(names)  # type: ignore[attr-defined]
        return form

    @property
    def flag_form(self) -> forms.Form:
        return self.failed.get("flag") or FlagForm(auto_id="flag-%s")

    @property
    def comment_form(self) -> forms.Form:
        return self.failed.get("comment") or CommentForm(
            recording=self.recording, initial={"press": uuid.uuid4()}, auto_id="comment-%s"
        )

    @cached_property
    def threads(self) -> list[comments.Thread]:
        """Return every thread to those who may read them, and note that they do."""
        if not may(self.request.user, Right.LISTEN):
            return []
        threads = comments.threads(self.recording)
        if threads:
            note(self.request, self.recording, "read comments")
        return threads

    @property
    def open_count(self) -> int:
        return sum(thread.is_open for thread in self.threads)

    @property
    def only_open(self) -> bool:
        return self.request.GET.get(SHOW) == "open"

    @property
    def newest_first(self) -> bool:
        return self.request.GET.get(ORDER) == "newest"

    @property
    def entries(self) -> list[Entry]:
        """Return the threads that were asked for, in the order that was."""
        chosen = [it for it in self.threads if self._is_wanted(it)]
        if self.newest_first:
            chosen.reverse()
        else:
            chosen.sort(key=lambda thread: thread.moment)
        return [self._entry(thread) for thread in chosen]

    def _is_wanted(self, thread: comments.Thread) -> bool:
        """Say whether a thread was asked for, or holds a form that is to be mended."""
        if thread.is_open or not self.only_open:
            return True
        rows = [thread.comment, *thread.answers]
        places = {f"answer-{thread.comment.pk}", *(f"edit-{row.pk}" for row in rows)}
        return not places.isdisjoint(self.failed)

    def _entry(self, thread: comments.Thread) -> Entry:
        pk = thread.comment.pk
        answer = self.failed.get(f"answer-{pk}") or AnswerForm(
            initial={"press": uuid.uuid4()}, auto_id=f"answer-{pk}-%s"
        )
        answers = [Entry(row, self._edit(row)) for row in thread.answers]
        return Entry(thread.comment, self._edit(thread.comment), answer, answers)

    def _edit(self, row: Comment) -> forms.Form | None:
        if row.is_deleted or row.by_id != self.request.user.pk:
            return None
        return self.failed.get(f"edit-{row.pk}") or EditForm.of(row)

    @property
    def query(self) -> str:
        """Return the query that keeps the page as it is."""
        return self._query()

    @property
    def ways(self) -> list[tuple[str, str, bool]]:
        """Return the links that narrow and sort: label, query, whether it is so already."""
        return [
            ("All", self._query(**{SHOW: ""}), not self.only_open),
            ("Open", self._query(**{SHOW: "open"}), self.only_open),
            ("By moment", self._query(**{ORDER: ""}), not self.newest_first),
            ("Newest first", self._query(**{ORDER: "newest"}), self.newest_first),
        ]

    def _query(self, **changes: str) -> str:
        asked = self.request.GET.copy()
        asked.pop("seen", None)
        for name, value in changes.items():
            asked.pop(name, None)
            if value:
                asked[name] = value
        return f"?{asked.urlencode()}" if asked else ""
