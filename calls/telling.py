"""Wishes as HTML: one is rendered once for all that read alike, and then gets its own times.

Wish --told--> what it says --fragment--> HTML with marks --filled--> with its times
"""

from collections.abc import Iterable
from datetime import datetime

from django.utils.safestring import SafeString

from calls.clocks import clock, ticking
from calls.fragments import Note, Told, filled, fragment
from calls.wishes import Wish


def wish(it: Wish, now: datetime) -> SafeString:
    """Return all that is said about a wish."""
    command = it.command
    shown = Told(
        state=command.state,
        is_open=command.is_open,
        doing=it.doing,
        label=it.label,
        why=it.why,
        object=it.object,
        who=it.who,
        is_again=it.is_again,
        is_accepted=command.accepted_at is not None,
        accepted_is_all=it.accepted_is_all,
        awaits_webhook=it.awaits_webhook,
        is_confirmed=command.confirmed_at is not None,
        trouble=it.trouble,
        reason=it.reason,
        advice=it.advice,
    )
    return _timed(fragment("calls/_wish.html", shown), it, now)


def wishes(several: Iterable[Wish], now: datetime) -> SafeString:
    """Return all that is said about wishes, as a list; nothing if there are none."""
    items = "".join(f"<li>{wish(it, now)}</li>" for it in several)
    return SafeString(f'<ul class="wishes">{items}</ul>' if items else "")


def note(needs: str, it: Wish | None, now: datetime) -> SafeString:
    """Return in few words what needs a person, else how a wish fared."""
    if needs:
        return fragment("calls/_note.html", Note(needs=needs))
    if it is None:
        return SafeString()
    command = it.command
    shown = Note(
        is_open=command.is_open,
        doing=it.doing,
        label=it.label,
        trouble=it.trouble,
        is_accepted=command.accepted_at is not None,
        is_confirmed=command.confirmed_at is not None,
    )
    return _timed(fragment("calls/_note.html", shown), it, now)


def _timed(html: SafeString, it: Wish, now: datetime) -> SafeString:
    command = it.command
    return filled(
        html,
        ticking=ticking(command.requested_at, now),
        requested=clock(command.requested_at),
        accepted=clock(command.accepted_at),
        confirmed=clock(command.confirmed_at),
    )
