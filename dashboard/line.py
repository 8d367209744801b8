"""What the last answers of Telnyx, and its webhooks, say about the line between it and the desk.

the newest commands + Question rows + Gauge + the newest webhook --> notices

A later good answer ends what an earlier bad one began, so nothing has to be switched back.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from calls import skew
from calls.models import Command, Question, WebhookEvent
from dashboard.notice import Notice

LOOKS_BACK = timedelta(hours=1)
FRESH = timedelta(minutes=3)  # an answer that is older says nothing of now
NEWEST = 20  # commands that are looked at
SILENT_FOR = timedelta(minutes=10)  # since the last webhook that was found again
DENIED = {  # Telnyx's status -> (title, remedy)
    401: (
        "Telnyx does not accept the API key.",
        "Set TELNYX_API_KEY to a key that the Telnyx portal lists, and restart.",
    ),
    403: (
        "Telnyx forbids it to this account.",
        "Look at the account's balance, and at what it may do, in the Telnyx portal.",
    ),
}
ASKED = {
    Question.BOARD: "Asking which calls live",
    Question.DELIVERIES: "Asking for lost webhooks",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one request: `status` None for silence."""

    at: datetime
    status: int | None
    what: str
    error: str


def notices(now: datetime) -> list[Notice]:
    """Return what is wrong with the line; four queries."""
    questions = list(Question.objects.filter(name__in=ASKED))
    answers = sorted(_answers(questions, now), key=lambda answer: answer.at)
    told = [_denied(answers), _away(answers, now), *_lost(questions, now), _clock(now)]
    return [notice for notice in told if notice is not None]


def _answers(questions: Sequence[Question], now: datetime) -> Iterator[Answer]:
    """Yield what Telnyx last answered to commands and questions."""
    lately = Command.objects.filter(requested_at__gt=now - LOOKS_BACK)
    for command in lately.order_by("-requested_at")[:NEWEST]:
        what = command.get_kind_display()
        if command.accepted_at or command.http_status == 200:
            yield Answer(command.accepted_at or command.requested_at, 200, what, "")
        elif command.error and (command.http_status or command.first_sent_at):
            at = command.settled_at or command.last_sent_at or command.requested_at
            yield Answer(at, command.http_status, what, command.error)
    for question in questions:
        what = ASKED[question.name]
        if question.done_at:
            yield Answer(question.done_at, 200, what, "")
        if question.failed_at and question.failures:
            yield Answer(question.failed_at, question.status, what, question.error)


def _denied(answers: Sequence[Answer]) -> Notice | None:
    """Tell that Telnyx denies the account what it asks, until it accepts something again."""
    last = next((it for it in reversed(answers) if it.status in (200, *DENIED)), None)
    if last is None or last.status not in DENIED:
        return None
    title, remedy = DENIED[last.status]
    return Notice("danger", title, f"{last.what}, at {_clock_time(last.at)}: {last.error}", remedy)


def _away(answers: Sequence[Answer], now: datetime) -> Notice | None:
    """Tell that Telnyx is silent, broken, or asks to slow down, if that was its last answer."""
    last = answers[-1] if answers else None
    if last is None or last.at < now - FRESH:
        return None
    text = f"{last.what}, at {_clock_time(last.at)}: {last.error}"
    if last.status == 429:
        return Notice(
            "warning",
            "Telnyx asks to slow down.",
            f"{text} Commands go first; what waits is asked again when Telnyx says.",
            "Look for another program that uses the same API key; Telnyx raises limits on demand.",
        )
    if last.status is None or last.status >= 500 or last.status == 408:
        return Notice(
            "danger",
            "Telnyx does not answer.",
            f"{text} Calls go on, and what is shown of them is what webhooks tell; commands are"
            " tried again until they are too old.",
            "Look at status.telnyx.com, and at this machine's way to the internet.",
        )
    return None


def _lost(questions: Sequence[Question], now: datetime) -> Iterator[Notice]:
    """Tell that webhooks do not arrive, or that some had to be found again."""
    found = {it.name: it for it in questions if it.found_at and it.found_at > now - LOOKS_BACK}
    board, deliveries = found.get(Question.BOARD), found.get(Question.DELIVERIES)
    last = _last_webhook() if board else None
    at = board.found_at if board else None
    if at and at > now - SILENT_FOR and (last is None or last < at):
        since = f"The last one came {_clock_time(last)}" if last else "None ever came"
        yield Notice(
            "danger",
            "Webhooks are not arriving.",
            f"Asked at {_clock_time(at)}, Telnyx told of live calls that no webhook had told of."
            f" {since}. What is shown may be a minute old.",
            "Open Connect, and compare the webhook address at Telnyx with PUBLIC_URL.",
        )
    elif deliveries and deliveries.found and deliveries.found_at:
        noun = "webhook" if deliveries.found == 1 else "webhooks"
        yield Notice(
            "warning",
            "Webhooks got lost.",
            f"{deliveries.found} {noun} that Telnyx could not deliver, found again at"
            f" {_clock_time(deliveries.found_at)}; the calls' timelines tell which.",
            "If the desk was not stopped then, open Connect.",
        )


def _clock(now: datetime) -> Notice | None:
    """Tell that this machine's clock is off, long before signatures are refused for it."""
    worst = skew.worst(now=now)
    if worst is None or abs(worst.value) <= skew.WARN_S:
        return None
    ahead = "ahead of" if worst.value > 0 else "behind"
    machine = worst.name.removeprefix(skew.NAME)
    return Notice(
        "danger" if abs(worst.value) > skew.BAD_S else "warning",
        "The clock is off.",
        f"{machine} is {abs(worst.value):.0f} s {ahead} Telnyx, by the median of"
        f" {worst.count} webhooks; beyond 300 s all are refused.",
        f"Set the clock of {machine}, and let NTP keep it.",
    )


def _last_webhook() -> datetime | None:
    webhooks = WebhookEvent.objects.filter(source=WebhookEvent.Source.WEBHOOK)
    return webhooks.order_by("-received_at").values_list("received_at", flat=True).first()


def _clock_time(at: datetime) -> str:
    return f"{timezone.localtime(at):%H:%M}"
