"""The board at `/`: a whole picture from the database, which the live stream then keeps true.

`?show=` and `?q=` choose rows. The stream brings them all, and the page hides the others.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import get_template
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_POST, require_safe

from access.policies import Right, may, needs
from calls import board, finding, wishes
from calls.models import WebhookEvent
from dashboard import look, problems
from dashboard.notices import notices

DIALS_STAY = timedelta(minutes=2)
TILES = {"live": "Live", "recording": "Recording", "paused": "Paused", "problems": "Problems"}
ALL = "live"  # the tile that hides nothing
LONGEST_TEXT = 100


@dataclass(frozen=True, slots=True)
class Asked:
    """Which rows a page shows: those of a tile, and those that a typed text finds."""

    show: str = ""
    text: str = ""

    def __bool__(self) -> bool:
        return bool(self.show or self.text)

    @property
    def href(self) -> str:
        given = {name: value for name, value in (("show", self.show), ("q", self.text)) if value}
        return reverse("home") + (f"?{urlencode(given)}" if given else "")

    def wants(self, conversation: board.Conversation) -> bool:
        """Say whether a row is to be shown."""
        return (not self.show or self.show in conversation.tiles) and (
            not self.text or finding.finds(self.text, conversation.haystack)
        )


@dataclass(frozen=True, slots=True)
class Tile:
    """A number that is a link to the rows it counts."""

    name: str
    label: str
    count: int
    show: str
    href: str
    is_chosen: bool


@needs(Right.SEE)
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the live calls."""
    now, asked = timezone.now(), _asked(request)
    control = may(request.user, Right.CONTROL)
    operate = may(request.user, Right.OPERATE)
    everything = board.conversations(now=now)
    wanted = [conversation for conversation in everything if asked.wants(conversation)]
    rows = [board.row(conversation, control=control) for conversation in wanted]
    counted = counts(conversation.tiles for conversation in everything)
    status = statuses([operate], now=now, is_empty=not counted[ALL])[operate]
    if control or operate:
        problems.count(request.user)  # the page's header tells it
    return render(
        request,
        "home.html",
        {
            "asked": asked,
            "tiles": _tiles(counted, asked),
            "counts": counted,
            "shown": len(wanted),
            "total": len(everything),
            "view": look.look_of(request.user),
            "rows": mark_safe("".join(rows)),  # noqa: S308  (rendered by our own template)
            "status": mark_safe(status),  # noqa: S308
            "now": now,
            "may_practise": control and bool(settings.PRACTICE_CALLS_URL),
            "webhook_url": f"{settings.PUBLIC_URL}/webhooks/telnyx",
        },
    )


@needs(Right.SEE)
@require_POST
def keep_view(request: HttpRequest) -> HttpResponse:
    """Remember how this person wants the board, and show it so."""
    form = look.LookForm(request.POST)
    if not form.is_valid():
        raise BadRequest(f"The view cannot be kept: {form.errors.as_text()}")
    look.keep(request.user, form.look)
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204)  # the page has changed itself already
    back = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(back, allowed_hosts=None)
    return redirect(back if safe and back.startswith("/") else "home")


@login_not_required
def icon(request: HttpRequest) -> HttpResponse:
    """Point browsers to the icon that pages without a link to it, the admin's, let them guess."""
    return redirect(static("desk.svg"))


def _asked(request: HttpRequest) -> Asked:
    show, text = request.GET.get("show", ""), request.GET.get("q", "").strip()
    if show == ALL:
        show = ""
    if show and show not in TILES:
        raise BadRequest(f"show is {show[:40]!r}; it must be one of {', '.join(TILES)}")
    if len(text) > LONGEST_TEXT:
        raise BadRequest(f"q has {len(text)} characters, the limit is {LONGEST_TEXT}")
    return Asked(show, text)


def _tiles(counted: dict[str, int], asked: Asked) -> list[Tile]:
    return [
        Tile(
            name=name,
            label=label,
            count=counted[name],
            show=(show := "" if name == ALL else name),
            href=Asked(show, asked.text).href,
            is_chosen=asked.show == show,
        )
        for name, label in TILES.items()
    ]


def counts(tiles: Iterable[Collection[str]]) -> dict[str, int]:
    """Return the numbers on the tiles, from the tiles of each row."""
    counted = Counter(name for names in tiles for name in names)
    return {name: counted[name] for name in TILES}


def statuses(
    operates: Collection[bool], *, now: datetime, is_empty: bool = False
) -> dict[bool, str]:
    """Render what is wrong, and calls being placed, for who may operate or not; nine queries."""
    shown = {
        "notices": notices(now=now),
        "dials": wishes.dials(since=now - DIALS_STAY),
        "is_empty": is_empty,
        "last_webhook": _last_webhook() if is_empty else None,
        "now": now,
    }
    template = get_template("calls/_status.html")
    return {operate: template.render({**shown, "operate": operate}) for operate in operates}


def _last_webhook() -> datetime | None:
    webhooks = WebhookEvent.objects.filter(source=WebhookEvent.Source.WEBHOOK)
    return webhooks.order_by("-received_at").values_list("received_at", flat=True).first()
