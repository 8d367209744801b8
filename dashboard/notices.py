"""What an operator should know before a supervisor asks: said on the board, with the remedy."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from calls import guard, ring
from calls.models import Guard, Heartbeat, Refusal
from dashboard import line
from dashboard.notice import Notice
from dashboard.templatetags.desk import phone
from recordings import storage

__all__ = ["LANES", "Notice", "notices"]

LOOKS_BACK = timedelta(hours=1)
LANES = {  # heartbeat -> what its lane does
    "worker:control": "sends the commands",
    "worker:events": "applies the webhooks",
    "worker:media": "fetches the recordings",
    "worker:texts": "times the transcripts",
    "worker:forward": "passes webhooks on to the neighbours",
    "worker:signals": "delivers notices",
}
REFUSED = {  # reason -> (why, remedy)
    "no_keys": ("no public key is configured", "set TELNYX_PUBLIC_KEYS"),
    "mismatch": (
        "no configured key fits their signature",
        "check TELNYX_PUBLIC_KEYS against the public key in the Telnyx portal",
    ),
    "missing": ("they were not signed", "somebody else than Telnyx may be calling this address"),
    "twice": ("they were signed twice", "look for a proxy that repeats headers"),
    "encoding": (
        "they were compressed, or their signature was not Base64",
        "look for a proxy that changes requests",
    ),
    "timestamp": ("their timestamp is no number", "look for a proxy that changes headers"),
    "stale": ("they were signed too long ago, or in the future", "check this machine's clock"),
    "size": ("they were too large", "look at the proxy's log for their sender"),
    "content_type": ("they were not JSON", "look at the proxy's log for their sender"),
    "method": ("they were not POST", "set the webhook's HTTP method to POST at Telnyx"),
    "gone": ("their sender left before the end", "look at the network to this machine"),
}


def notices(*, now: datetime) -> list[Notice]:
    """Return what is wrong now, worst first; seven queries."""
    found = [*map(_pause, guard.needing_a_person()), *_settings(), *line.notices(now)]
    found += [*_processes(now), *_refusals(now), *_broker(), *_disk()]
    return sorted(found, key=lambda notice: notice.level)


def _pause(watched: Guard) -> Notice:
    """Tell of a pause that the desk could not end; whoever sees the board may end it."""
    call = watched.call
    until = f"{timezone.localtime(watched.deadline):%H:%M:%S}"
    return Notice(
        "danger",
        "A recording is still paused.",
        f"{phone(call.from_number)} → {phone(call.to_number)} should have been resumed at {until}."
        f" {watched.trouble} Resume it, or stop the recording.",
    )


def _settings() -> list[Notice]:
    found = []
    if not settings.TELNYX_PUBLIC_KEYS:
        found.append(
            Notice(
                "danger",
                "No webhook can be verified.",
                "No public key is configured, so every webhook is refused and no call appears.",
                "Set TELNYX_PUBLIC_KEYS to the public key of the Telnyx portal and restart.",
            )
        )
    if not settings.TELNYX_API_KEY:
        found.append(
            Notice(
                "danger",
                "Calls cannot be controlled.",
                "No API key is configured: calls are shown, but every command fails.",
                "Set TELNYX_API_KEY and restart.",
            )
        )
    return found


def _processes(now: datetime) -> list[Notice]:
    expected = ["pump", *(LANES if settings.REDIS_URL else ())]
    missing = Heartbeat.objects.missing(expected, now=now)
    found = []
    if "pump" in missing:
        still = not settings.REDIS_URL or len(missing) == len(expected)
        found.append(
            Notice(
                "danger",
                "The pump gives no sign of life.",
                "Nothing is sent, applied or fetched."
                if still
                else "Forgotten pauses are not ended, calls that fell silent are not asked about, "
                "commands without their webhook "
                "are not marked, and what a worker loses is not done.",
                "Start it: manage.py pump.",
            )
        )
    for name in missing:
        if name in LANES:
            lane = name.removeprefix("worker:")
            instead = "" if "pump" in missing else " The pump does the work, a second later."
            found.append(
                Notice(
                    "warning",
                    f"The {lane} worker gives no sign of life.",
                    f"It {LANES[name]}.{instead}",
                    f"Start it: celery -A dashboard worker -P threads -Q {lane}.",
                )
            )
    return found


def _broker() -> list[Notice]:
    lost_at = ring.broker_lost_at() if settings.REDIS_URL else None
    if lost_at is None:
        return []
    return [
        Notice(
            "warning",
            "The broker cannot be reached.",
            f"Nobody is rung since {timezone.localtime(lost_at):%H:%M}: the pump finds the work by"
            " itself, a second later.",
            "Start Valkey or Redis; REDIS_URL says where it is looked for.",
        )
    ]


def _disk() -> list[Notice]:
    try:
        storage.check_room()
    except storage.Trouble as exc:
        text = f"{exc} Recordings wait at Telnyx until there is room."
        return [Notice("danger", "The disk is full.", text, "Free space in the data folder.")]
    return []


def _refusals(now: datetime) -> list[Notice]:
    counted: dict[str, int] = {}
    since: dict[str, datetime] = {}
    for row in Refusal.objects.filter(last_at__gt=now - LOOKS_BACK).order_by("hour"):
        counted[row.reason] = counted.get(row.reason, 0) + row.count
        since.setdefault(row.reason, row.hour)
    return [_refusal(reason, count, since[reason]) for reason, count in counted.items()]


def _refusal(reason: str, count: int, since: datetime) -> Notice:
    many, were = f"{count} webhook{'s' * (count != 1)}", "were" if count != 1 else "was"
    start = f"{timezone.localtime(since):%H:%M}"  # counts are kept by the hour
    if reason == "v1":
        return Notice(
            "danger",
            "Webhooks come in the old format.",
            f"{many} since {start} {were} kept, but not understood.",
            "Set the webhook API version of your application to 2 in the Telnyx portal.",
        )
    why, remedy = REFUSED.get(reason, (f"of {reason}", "look at the log of the web process"))
    return Notice(
        "danger" if reason in ("mismatch", "no_keys", "stale") else "warning",
        "Webhooks are refused.",
        f"{many} {were} refused since {start} because {why}.",
        f"{remedy[0].upper()}{remedy[1:]}.",
    )
