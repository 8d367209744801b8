"""What the door is measured against: the webhook as the Django view of the textbooks.

It asks the same of a webhook and keeps the same row; served by granian's WSGI threads.
"""

import time
from dataclasses import asdict

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from calls import intake
from calls.models import WebhookEvent


@login_not_required
@csrf_exempt
@require_POST
def webhook(request: HttpRequest) -> HttpResponse:
    """Verify, store if it is new, say 200."""
    headers = [(name.lower().encode(), value.encode()) for name, value in request.headers.items()]
    try:
        row = intake.check(headers, request.body, now=time.time())
    except intake.Refused as exc:
        return HttpResponse(status=exc.status)
    kept = asdict(row) | {"due_at": row.received_at}
    del kept["headers"]  # for the neighbours, of whom the textbook knows nothing
    WebhookEvent.objects.get_or_create(event_id=kept.pop("event_id"), defaults=kept)
    return HttpResponse()


urlpatterns = [path("webhooks/telnyx", webhook)]
