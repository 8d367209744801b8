"""The board at `/`: a whole picture from the database, which the live stream then keeps true."""

from collections import defaultdict
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.utils import timezone
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_safe

from access.policies import Right, may, needs
from calls import board, fold, wishes
from calls.models import LIVE, Call, WebhookEvent
from dashboard import problems
from dashboard.notices import notices

DIALS_STAY = timedelta(minutes=2)


@needs(Right.SEE)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the live calls."""
    now = timezone.now()
    control = may(request.user, Right.CONTROL)
    rows = [board.row(it, control=control) for it in board.conversations(now=now)]
    operate = may(request.user, Right.OPERATE)
    status = status_html(now=now, operate=operate)
    if control or operate:
        problems.count(request.user)  # the page's header tells it
    return render(
        request,
        "home.html",
        {
            "rows": mark_safe("".join(rows)),  # noqa: S308  (rendered by our own template)
            "status": mark_safe(status),  # noqa: S308
            "now": now,
            "webhook_url": f"{settings.PUBLIC_URL}/webhooks/telnyx",
        },
    )


@login_not_required
def icon(request: HttpRequest) -> HttpResponse:
    """Point browsers to the icon that pages without a link to it, the admin's, let them guess."""
    return redirect(static("desk.svg"))


def status_html(*, now: datetime, operate: bool) -> str:
    """Render the counts, what is wrong, and calls being placed; at most eleven queries."""
    counts = _counts()
    return render_to_string(
        "calls/_status.html",
        {
            "counts": counts,
            "notices": notices(now=now),
            "dials": wishes.dials(since=now - DIALS_STAY),
            "last_webhook": _last_webhook() if not counts["live"] else None,
            "operate": operate,
            "now": now,
        },
    )


def _counts() -> dict[str, int]:
    """Count conversations, live and by what their recording does."""
    together: defaultdict[str, set[str]] = defaultdict(set)
    live = Call.objects.filter(line__in=LIVE)
    for key, recording in live.values_list("conversation", "recording"):
        together[key].add(recording)
    return {
        "live": len(together),
        "recording": sum(fold.Recording.ON in words for words in together.values()),
        "paused": sum(fold.Recording.PAUSED in words for words in together.values()),
        "doubt": sum(fold.Recording.DOUBT in words for words in together.values()),
    }


def _last_webhook() -> datetime | None:
    webhooks = WebhookEvent.objects.filter(source=WebhookEvent.Source.WEBHOOK)
    return webhooks.order_by("-received_at").values_list("received_at", flat=True).first()
