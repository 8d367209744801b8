"""A watched pause in the words of the page: how long it may last, and what went wrong.

guards(calls) -> {call: Guard} --now--> Countdown
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from calls import wishes
from calls.models import LIVE, PAUSED, REASONS, Call, Guard


@dataclass(frozen=True, slots=True)
class Countdown:
    """A watched pause of a call at some moment."""

    guard: Guard
    call: Call
    now: datetime

    @property
    def is_open(self) -> bool:
        """Say whether the pause goes on, as far as anybody knows."""
        is_paused = self.call.line in LIVE and self.call.recording in PAUSED
        return is_paused and self.guard.ended_at is None

    @property
    def is_up(self) -> bool:
        return self.now >= self.guard.deadline

    @property
    def is_escalated(self) -> bool:
        return self.guard.escalated_at is not None

    @property
    def look(self) -> str:
        """Return how urgent it is, as the style sheet calls it."""
        if self.is_escalated:
            return "is-escalated"
        if self.is_up:
            return "is-up"
        return "is-warning" if self.now >= self.guard.warn_at else "is-watching"

    @property
    def may_extend(self) -> bool:
        return self.is_open and not (self.guard.extended_at or self.guard.tries or self.is_up)

    @property
    def reason(self) -> str:
        return str(self.guard.pause.get_why_display())

    @property
    def who(self) -> str:
        return wishes.author(self.guard.pause)

    @property
    def extension(self) -> str:
        """Return who extended it and why, "" if nobody did."""
        if self.guard.extended_at is None:
            return ""
        return f"{wishes.name(self.guard.extended_by)}: {self.guard.get_extended_why_display()}"

    @property
    def reasons(self) -> list[tuple[str, str]]:
        return REASONS


def guards(calls: Iterable[Call]) -> dict[object, Guard]:
    """Return the watched pause of each call, else the last one that ended late; one query."""
    worth_saying = Q(ended_at=None) | Q(late_ms__gt=0)
    rows = Guard.objects.filter(worth_saying, call__in=[call.pk for call in calls])
    found = rows.select_related("pause__requested_by", "extended_by").order_by("since", "pk")
    return {guard.call_id: guard for guard in found}
