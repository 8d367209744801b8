"""Ask Telnyx about calls that the webhooks leave in doubt; the answers are facts like any other.

Call.probe_at due --> GET /calls/{id} --> WebhookEvent(source=reconcile) --> fold
"""

import json
import logging
import uuid
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from calls import asking, fold, intake, projection, writer
from calls.line import telnyx
from calls.models import Call, Command, WebhookEvent
from calls.telnyx.errors import Rejected, TelnyxError
from calls.telnyx.wire import READ_TIMEOUT, Timeout

logger = logging.getLogger(__name__)

STORY_AFTER = timedelta(seconds=2)  # the webhook may only be late
ASK_AGAIN = timedelta(seconds=30)
MOST = 20  # probes in one round, so that a flood of doubts does not eat the rate limit


def probe_due() -> int:
    """Ask about the calls whose probe is due; return how many."""
    if not settings.TELNYX_API_KEY:
        return 0
    doubted = Call.objects.exclude(line=fold.Line.ENDED).exclude(call_control_id="")
    due = doubted.filter(probe_at__lte=timezone.now())
    calls = list(due.order_by("probe_at")[:MOST])
    for call in calls:
        Call.objects.filter(pk=call.pk).update(probe_at=timezone.now() + ASK_AGAIN)
        ask(call)
    return len(calls)


def ask(call: Call, *, timeout: Timeout = READ_TIMEOUT) -> bool | None:
    """Ask Telnyx whether a call lives, and store what it says as a fact; None if it does not say.

    Takes as long as Telnyx does, so never in a transaction.
    """
    try:
        status = telnyx().call(call.call_control_id, timeout=timeout)
    except Rejected as exc:
        if not (exc.not_found or exc.call_ended):
            logger.warning("Telnyx does not tell of call %s: %s", call.pk, exc)
            _stays_in_doubt(call)
            return None
        is_alive, ended_at = False, None  # it remembers an ended call for ten minutes only
    except TelnyxError as exc:
        logger.info("call %s stays in doubt: %s", call.pk, exc)
        _stays_in_doubt(call)
        return None
    else:
        is_alive, ended_at = status.is_alive, status.ended_at
    if call.doubted_at is not None:
        projection.touch(call, doubted_at=None)
    if is_alive and call.line != fold.Line.UNKNOWN:
        asking.lives_elsewhere(call.call_leg_id)
        Call.objects.filter(pk=call.pk).update(probe_at=timezone.now() + projection.QUIET)
        if call.commands.filter(state=Command.State.TIMED_OUT).exists():
            asking.want_story(call.call_leg_id)  # its other webhooks may be lost too
        return True
    now = timezone.now()
    body = {
        "data": {
            "id": str(uuid.uuid4()),
            "event_type": "reconcile.alive" if is_alive else "reconcile.ended",
            "occurred_at": (ended_at or now).isoformat().replace("+00:00", "Z"),
            "payload": {
                "call_leg_id": call.call_leg_id,
                "call_session_id": call.call_session_id,
                "call_control_id": call.call_control_id,
            },
        }
    }
    row = intake.read(json.dumps(body).encode(), received_at=now)
    writer.store([row], source=WebhookEvent.Source.RECONCILE)
    asking.want_story(call.call_leg_id, after=STORY_AFTER)  # how it came to that
    return is_alive


def _stays_in_doubt(call: Call) -> None:
    if call.doubted_at is None:
        projection.touch(call, doubted_at=timezone.now())
