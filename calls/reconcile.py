"""Ask Telnyx about calls that the webhooks leave in doubt; the answers are facts like any other.

Call.probe_at due --> GET /calls/{id} --> WebhookEvent(source=reconcile) --> fold
"""

import json
import logging
import uuid
from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from calls import fold, intake, projection, writer
from calls.line import telnyx
from calls.models import LIVE, Call, WebhookEvent
from calls.telnyx.errors import Rejected, TelnyxError

logger = logging.getLogger(__name__)

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
        _probe(call)
    return len(calls)


def doubt_all() -> None:
    """Ask about every live call soon: while the desk was down, its end may have been told."""
    Call.objects.filter(line__in=LIVE).update(probe_at=timezone.now())


def _probe(call: Call) -> None:
    try:
        status = telnyx().call(call.call_control_id)
    except Rejected as exc:
        if not (exc.not_found or exc.call_ended):
            logger.warning("Telnyx does not tell of call %s: %s", call.pk, exc)
            return
        is_alive, ended_at = False, None  # it remembers an ended call for ten minutes only
    except TelnyxError as exc:
        logger.info("call %s stays in doubt: %s", call.pk, exc)
        return
    else:
        is_alive, ended_at = status.is_alive, status.ended_at
    if is_alive and call.line != fold.Line.UNKNOWN:
        Call.objects.filter(pk=call.pk).update(probe_at=timezone.now() + projection.QUIET)
        return
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
