"""The desk's own figures, as the text that Prometheus and its kin read.

Tables that grow without end are counted over the last hour or by a partial index, never whole.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db.models import Count, Min, QuerySet, Sum

from calls import skew
from calls.models import (
    LIVE,
    Call,
    Command,
    Gauge,
    Guard,
    Heartbeat,
    Question,
    Refusal,
    WebhookEvent,
)
from dashboard.live import hub
from recordings.models import Recording, Transcript

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure, with a value for each set of labels."""

    name: str
    help: str
    values: Mapping[tuple[str, ...], float]
    labels: tuple[str, ...] = field(default=())
    kind: str = "gauge"

    def lines(self) -> Iterator[str]:
        """Return the lines of the text format."""
        yield f"# HELP {self.name} {self.help}"
        yield f"# TYPE {self.name} {self.kind}"
        for words, value in sorted(self.values.items()):
            pairs = ",".join(
                f'{label}="{_escaped(word)}"'
                for label, word in zip(self.labels, words, strict=True)
            )
            yield f"{self.name}{{{pairs}}} {value:.15g}" if pairs else f"{self.name} {value:.15g}"


def exposition(*, now: datetime) -> str:
    """Return every figure as text."""
    return "".join(f"{line}\n" for figure in figures(now=now) for line in figure.lines())


def overdue_s(*, now: datetime) -> dict[str, float]:
    """Return for how long the oldest due row of each lane waits; 0 if none is due."""
    waiting: dict[
        str,
        QuerySet[Command] | QuerySet[WebhookEvent] | QuerySet[Recording] | QuerySet[Transcript],
    ] = {
        "control": Command.objects.filter(state__in=Command.OPEN),
        "events": WebhookEvent.objects.filter(state=WebhookEvent.State.PENDING),
        "media": Recording.objects.filter(state__in=Recording.WANTED),
        "texts": Transcript.objects.filter(timing__in=Transcript.WANTED),
    }
    oldest = {lane: rows.aggregate(at=Min("due_at"))["at"] for lane, rows in waiting.items()}
    oldest["guards"] = Guard.objects.untried().aggregate(at=Min("deadline"))["at"]
    return {
        lane: max(0.0, (now - due_at).total_seconds()) if due_at else 0.0
        for lane, due_at in oldest.items()
    }


def figures(*, now: datetime) -> Iterable[Figure]:
    """Read every figure; about fifteen queries, all along an index."""
    webhooks = WebhookEvent.objects.all()
    lately = now - HOUR
    return [
        Figure(
            "tapeline_webhooks_stuck",
            "Webhooks that wait to be applied, or never will be.",
            _none_of("pending", "dead")
            | _count(webhooks.filter(state="pending"), "state")
            | _count(webhooks.filter(state="dead"), "state"),
            ("state",),
        ),
        Figure(
            "tapeline_webhooks_last_hour",
            "Webhooks received in the last hour.",
            _count(webhooks.filter(received_at__gt=lately), "state", "source"),
            ("state", "source"),
        ),
        Figure(
            "tapeline_webhooks_last_received_timestamp_seconds",
            "When the last webhook came.",
            _last_webhook(),
        ),
        Figure(
            "tapeline_refusals_total",
            "Requests that the webhook door refused or doubted.",
            _sums(Refusal.objects.values_list("reason").annotate(Sum("count"))),
            ("reason",),
            "counter",
        ),
        Figure(
            "tapeline_commands_last_hour",
            "Commands asked for in the last hour.",
            _count(Command.objects.filter(requested_at__gt=lately), "kind", "state"),
            ("kind", "state"),
        ),
        Figure(
            "tapeline_recordings",
            "Recordings by where their file is.",
            _none_of(*Recording.State) | _count(Recording.objects.all(), "state"),
            ("state",),
        ),
        Figure(
            "tapeline_oldest_due_seconds",
            "For how long the oldest due row of a lane waits.",
            {(lane,): seconds for lane, seconds in overdue_s(now=now).items()},
            ("lane",),
        ),
        Figure(
            "tapeline_calls_live",
            "Call legs that are live now.",
            _none_of(*LIVE) | _count(Call.objects.filter(line__in=LIVE), "line"),
            ("line",),
        ),
        Figure(
            "tapeline_calls_recording",
            "Live call legs by what their recording does.",
            _none_of(*Call.Recording) | _count(Call.objects.filter(line__in=LIVE), "recording"),
            ("recording",),
        ),
        Figure(
            "tapeline_heartbeat_age_seconds",
            "Since when a process gave no sign of life.",
            {
                (name,): (now - beat_at).total_seconds()
                for name, beat_at in Heartbeat.objects.values_list("name", "beat_at")
            },
            ("process",),
        ),
        Figure(
            "tapeline_clock_skew_seconds",
            "How far a machine's clock is ahead of Telnyx's.",
            {
                (name.removeprefix(skew.NAME),): value
                for name, value in Gauge.objects.filter(
                    name__startswith=skew.NAME, at__gt=now - skew.TELLS_FOR
                ).values_list("name", "value")
            },
            ("machine",),
        ),
        Figure(
            "tapeline_question_age_seconds",
            "Since when Telnyx did not answer one of the desk's own questions.",
            {
                (name,): (now - done_at).total_seconds()
                for name, done_at in Question.objects.filter(
                    name__in=[Question.BOARD, Question.DELIVERIES], done_at__isnull=False
                ).values_list("name", "done_at")
                if done_at
            },
            ("question",),
        ),
        Figure(
            "tapeline_live_streams",
            "Browsers that this web process shows live calls.",
            {(): len(hub.clients)},
        ),
    ]


def _count(
    rows: "QuerySet[WebhookEvent] | QuerySet[Command] | QuerySet[Recording] | QuerySet[Call]",
    *columns: str,
) -> dict[tuple[str, ...], float]:
    return _sums(rows.order_by().values_list(*columns).annotate(Count("pk")))


def _none_of(*words: str) -> dict[tuple[str, ...], float]:
    """Return zero for each word, so that an alert can tell none from unknown."""
    return {(str(word),): 0.0 for word in words}


def _sums(rows: Iterable[tuple[object, ...]]) -> dict[tuple[str, ...], float]:
    """Split rows of words and one number."""
    return {tuple(map(str, words)): float(str(number)) for *words, number in rows}


def _last_webhook() -> dict[tuple[str, ...], float]:
    webhooks = WebhookEvent.objects.filter(source=WebhookEvent.Source.WEBHOOK)
    newest = webhooks.order_by("-received_at")
    at = newest.values_list("received_at", flat=True).first()
    return {(): at.timestamp()} if at else {}


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
