"""What an operator should know before a supervisor asks: said on the board, with the remedy."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from calls.models import Command, Heartbeat, Refusal

LOOKS_BACK = timedelta(hours=1)
LANES = {  # heartbeat -> what its lane does
    "worker:control": "sends the commands",
    "worker:events": "applies the webhooks",
    "worker:media": "fetches the recordings",
    "worker:texts": "times the transcripts",
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


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is wrong; `remedy` is for those who can do something about it."""

    level: str  # danger: work stands still; warning: it goes on, with a loss
    title: str
    text: str
    remedy: str = ""


def notices(*, now: datetime) -> list[Notice]:
    """Return what is wrong now, worst first; three queries."""
    found = [*_settings(), *_denials(now), *_processes(now), *_refusals(now)]
    return sorted(found, key=lambda notice: notice.level)


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


def _denials(now: datetime) -> list[Notice]:
    """Tell that Telnyx denies the account what it asks, until it accepts a command again."""
    lately = Command.objects.filter(requested_at__gt=now - LOOKS_BACK)
    settled = lately.filter(http_status__in=[*DENIED, 200]).order_by("-requested_at")
    last = settled.first()
    if last is None or last.http_status not in DENIED:
        return []
    title, remedy = DENIED[last.http_status]
    at = f"{timezone.localtime(last.requested_at):%H:%M}"
    return [Notice("danger", title, f"{last.get_kind_display()}, at {at}: {last.error}", remedy)]


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
                else "Calls that fell silent are not asked about, commands without their webhook "
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
