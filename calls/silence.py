"""Notice that webhooks fell silent while something goes on at Telnyx.

the newest webhook is old + a call lives, or a command was accepted since --> a signal, once
"""

from datetime import timedelta

from django.conf import settings
from django.utils import timezone

from calls import signals
from calls.models import LIVE, Call, Command, WebhookEvent

SILENT_FOR = timedelta(minutes=15)  # a live call that tells nothing for ten is asked about
ANSWERED_WITHIN = timedelta(minutes=2)  # a webhook follows what Telnyx accepts within seconds
FORGOTTEN = timedelta(days=1)


def watch() -> bool:
    """Tell of webhooks that do not come; return whether they do not."""
    now = timezone.now()
    newest = WebhookEvent.objects.filter(source=WebhookEvent.Source.WEBHOOK)
    last = newest.order_by("-received_at").values_list("received_at", "pk").first()
    if last is None or not now - FORGOTTEN < last[0] < now - SILENT_FOR:
        return False
    at, pk = last
    accepted = Command.objects.filter(
        accepted_at__gt=at, accepted_at__lt=now - ANSWERED_WITHIN, kind__in=("answer", "dial")
    )
    if not (Call.objects.filter(line__in=LIVE).exists() or accepted.exists()):
        return False
    signals.tell(
        "webhooks.silent",
        "Webhooks are silent",
        f"The last one came at {timezone.localtime(at):%H:%M}, and calls go on. Compare the"
        f" webhook address at Telnyx with {settings.PUBLIC_URL}/webhooks/telnyx.",
        "/",
        cause=str(pk),
    )
    return True
