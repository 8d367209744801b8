"""Checks of Telnyx's side: key, application, deliveries, clock. All of them only read."""

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from calls import asking, skew
from calls.line import telnyx
from calls.telnyx import signature
from calls.telnyx.errors import TelnyxError
from calls.telnyx.readings import Application, Delivery
from dashboard.doctor import Finding, Level
from dashboard.doctor.door import url

SHORTEST_S = 2  # our door answers within one, and a network takes its time
PATIENT_S = 5
LATELY, BACK = timedelta(minutes=15), timedelta(hours=24)
KEY_REMEDY = "Set TELNYX_API_KEY to a key that the Telnyx portal lists, and restart."
ID_REMEDY = "Set TELNYX_CONNECTION_ID to the id of your Call Control Application, and restart."


def _trouble(exc: TelnyxError | ValueError) -> Finding:
    """Return what a request that failed means."""
    if isinstance(exc, ValueError):
        return Finding(Level.WRONG, f"{exc}.", "Check TELNYX_API_KEY and TELNYX_BASE_URL.")
    if exc.bad_key:
        return Finding(Level.WRONG, str(exc), KEY_REMEDY)
    if exc.forbidden:
        remedy = "Look at the account's balance, and at what it may do, in the Telnyx portal."
        return Finding(Level.WRONG, str(exc), remedy)
    remedy = "Look at this machine's way to the internet, and at status.telnyx.com."
    return Finding(Level.UNKNOWN, str(exc), remedy)


def key() -> Finding:
    """Ask for something that only an account's own key may see."""
    if not settings.TELNYX_API_KEY:
        return Finding(
            Level.WRONG, "TELNYX_API_KEY is not set: no command can be sent.", KEY_REMEDY
        )
    try:
        count = sum(1 for _ in telnyx().applications())
    except (TelnyxError, ValueError) as exc:
        return _trouble(exc)
    noun = "application" if count == 1 else "applications"
    return Finding(Level.OK, f"Telnyx accepts it; the account has {count} Call Control {noun}.")


def public_keys() -> Finding:
    """See whether the configured keys are keys."""
    remedy = "Copy the public key from the Telnyx portal, API keys, Public key; then restart."
    try:
        keys = signature.parse_keys(settings.TELNYX_PUBLIC_KEYS)
    except ValueError as exc:
        return Finding(Level.WRONG, f"TELNYX_PUBLIC_KEYS: {exc}.", remedy)
    if not keys:
        text = "TELNYX_PUBLIC_KEYS is not set: every webhook is refused."
        return Finding(Level.WRONG, text, remedy)
    names = ", ".join(signature.fingerprint(each) for each in keys)
    noun = "key" if len(keys) == 1 else "keys"
    return Finding(Level.OK, f"{len(keys)} {noun} ({names}); Deliveries tells whether it fits.")


def application() -> Finding:
    """Compare the application's webhook settings with what the desk needs."""
    if not settings.TELNYX_API_KEY:
        return Finding(Level.UNKNOWN, "Without an API key it cannot be read.", "See API key.")
    try:
        if not settings.TELNYX_CONNECTION_ID:
            return Finding(
                Level.WRONG, f"TELNYX_CONNECTION_ID is not set. {_choices()}", ID_REMEDY
            )
        found = telnyx().application(settings.TELNYX_CONNECTION_ID)
    except TelnyxError as exc:
        if exc.not_found:
            text = f"Telnyx knows no application {settings.TELNYX_CONNECTION_ID}. {_choices()}"
            return Finding(Level.WRONG, text, ID_REMEDY)
        return _trouble(exc)
    except ValueError as exc:
        return _trouble(exc)
    return _judge(found)


def _choices() -> str:
    """Name the applications that the account has."""
    try:
        found = [f"{each.application_id} ({each.name})" for each in telnyx().applications()]
    except (TelnyxError, ValueError):
        return ""
    return f"The account has: {', '.join(found[:10])}." if found else "The account has none yet."


def changes(found: Application) -> dict[str, tuple[str, str]]:
    """Return what has to change so that webhooks come here: label -> (now, then)."""
    wanted = {}
    if found.webhook_url != url():
        wanted["Webhook address"] = (found.webhook_url or "none", url())
    if found.webhook_api_version != "2":
        wanted["Webhook API version"] = (found.webhook_api_version or "1", "2")
    if found.webhook_timeout_s is not None and found.webhook_timeout_s < SHORTEST_S:
        wanted["Seconds until Telnyx gives up"] = (str(found.webhook_timeout_s), str(PATIENT_S))
    return wanted


def apply_changes(found: Application) -> Application:
    """Have the application send its webhooks here. Raises TelnyxError."""
    too_short = found.webhook_timeout_s is not None and found.webhook_timeout_s < SHORTEST_S
    timeout_s = PATIENT_S if too_short else None
    return telnyx().point_webhooks(found, url=url(), timeout_s=timeout_s)


def _judge(found: Application) -> Finding:
    name = f"{found.name} ({found.application_id})"
    if not found.is_active:
        text = f"{name} is switched off: it takes no calls."
        return Finding(Level.WRONG, text, "Switch it on in the Telnyx portal.")
    if wanted := changes(found):
        said = "; ".join(f"{what}: {now}, must be {then}" for what, (now, then) in wanted.items())
        remedy = "Set it here with your consent: python manage.py doctor --fix, or Connect."
        return Finding(Level.WRONG, f"{name}: {said}.", remedy)
    if found.webhook_failover_url and found.webhook_failover_url != url():
        return Finding(
            Level.WARNING,
            f"{name} sends here; what the desk cannot take goes to {found.webhook_failover_url}.",
            "Make sure that the program there minds; the desk finds lost webhooks by itself.",
        )
    return Finding(Level.OK, f"{name} sends its webhooks here, in version 2.")


def deliveries() -> Finding:
    """Ask Telnyx how its last deliveries to this desk went: the proof from outside."""
    if not settings.TELNYX_API_KEY:
        return Finding(Level.UNKNOWN, "Without an API key they cannot be read.", "See API key.")
    now = timezone.now()
    try:
        ours = _deliveries(now - LATELY, now) or _deliveries(now - BACK, now)
    except (TelnyxError, ValueError) as exc:
        return _trouble(exc)
    if not ours:
        text = "Telnyx delivered nothing to this desk in the last 24 hours."
        return Finding(Level.UNKNOWN, text, "Call one of your numbers, then look again.")
    last = max(ours, key=lambda row: row.finished_at or now)
    at = f"{timezone.localtime(last.finished_at):%-d %b %H:%M:%S}"
    failed = sum(row.status == "failed" for row in ours)
    if last.status == "failed":
        heard = f"the answer was {last.answer}" if last.answer else "nobody answered"
        remedy = (
            "TELNYX_PUBLIC_KEYS lacks the account's key, or the clock is off."
            if last.answer == 401
            else "See Webhook door; let Telnyx's network (192.76.120.192/27) come in."
        )
        return Finding(Level.WRONG, f"The last one, at {at}, failed: {heard}.", remedy)
    if failed:
        text = f"The last one, at {at}, came here; {failed} of the last {len(ours)} failed."
        return Finding(Level.WARNING, text, "They are found again; was the desk stopped then?")
    return Finding(Level.OK, f"Telnyx's last one, at {at}, came here; none of {len(ours)} failed.")


def _deliveries(since: datetime, until: datetime) -> list[Delivery]:
    """Return those to this desk on the first page; in which order Telnyx lists is not written."""
    rows = telnyx().webhook_deliveries_page(1, since=since, until=until).rows
    return [row for row in rows if asking.is_ours(row) and row.finished_at]


def clock() -> Finding:
    """Compare this machine's clock with Telnyx's answers and with the webhooks' stamps."""
    told = []
    try:
        if settings.TELNYX_API_KEY:
            line = telnyx()
            if settings.TELNYX_CONNECTION_ID:
                line.application(settings.TELNYX_CONNECTION_ID)
            else:
                next(line.applications(), None)
            if line.skew_s is not None:
                told.append(("Telnyx's answers", line.skew_s))
    except (TelnyxError, ValueError):
        pass  # another check says so
    measured = skew.worst(now=timezone.now())
    if measured is not None:
        told.append((f"{measured.count} webhooks", measured.value))
    if not told:
        return Finding(Level.UNKNOWN, "Telnyx gave no time to compare with.", "See API key.")
    text = ", ".join(f"{seconds:+.1f} s by {source}" for source, seconds in told) + "."
    worst = max(abs(seconds) for _, seconds in told)
    remedy = "Let NTP keep this machine's clock; beyond 300 s every webhook is refused."
    if worst > skew.BAD_S:
        return Finding(Level.WRONG, text, remedy)
    return Finding(
        Level.WARNING if worst > skew.WARN_S else Level.OK,
        text,
        remedy if worst > skew.WARN_S else "",
    )
