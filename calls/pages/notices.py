"""What a person should hear of: the bell in the header, the list, and what to be told."""

import json

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access.policies import roles
from calls import signals
from calls.models import Notice, NoticeChoice
from calls.signals import KINDS

PAGE = 50
LAST = (1 << 63) - 1


def _person(request: HttpRequest) -> User:
    """Return who asks; whoever has no role at the desk hears of nothing."""
    if not isinstance(request.user, User) or not roles(request.user):
        raise PermissionDenied("Your account has no role at this desk.")
    return request.user


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LAST):
        raise BadRequest(
            f"{name} is {text[:30]!r}, must be a number that a link of the page names"
        )
    return int(text)


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """List what a person was told, the newest first."""
    mine = Notice.objects.filter(user=_person(request), is_shown=True)
    mine = mine.select_related("signal").order_by("-id")
    after = request.GET.get("after", "")
    if after:
        mine = mine.filter(id__lt=_number(after, "after"))
    rows = list(mine[: PAGE + 1])
    context = {
        "rows": [(row, KINDS.get(row.signal.kind)) for row in rows[:PAGE]],
        "older": rows[PAGE - 1].pk if len(rows) > PAGE else None,
        "newest": rows[0].pk if rows else None,
        "is_first": not after,
    }
    return render(request, "notices/list.html", context)


@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Mark one notice as read, or all that the page showed when the button was pressed."""
    mine = Notice.objects.filter(user=_person(request), read_at=None)
    if one := request.POST.get("notice"):
        mine = mine.filter(pk=_number(one, "notice"))
    else:
        mine = mine.filter(pk__lte=_number(request.POST.get("newest", ""), "newest"))
    mine.update(read_at=timezone.now())
    return redirect("notices:list")


@require_http_methods(["GET", "HEAD", "POST"])
def choices(request: HttpRequest) -> HttpResponse:
    """Choose which kinds to hear of in the desk, and which by mail."""
    person = _person(request)
    kinds = signals.kinds_for(person)
    if request.method == "POST":
        for kind in kinds:
            NoticeChoice.objects.update_or_create(
                user=person,
                kind=kind.name,
                defaults={
                    "in_desk": f"desk:{kind.name}" in request.POST,
                    "by_mail": f"mail:{kind.name}" in request.POST,
                },
            )
        messages.success(request, "Your choices are kept.")
        return redirect("notices:choices")
    chosen = {one.kind: one for one in NoticeChoice.objects.filter(user=person)}
    rows = [
        (
            kind,
            chosen[kind.name].in_desk if kind.name in chosen else kind.in_desk,
            kind.name in chosen and chosen[kind.name].by_mail,
        )
        for kind in kinds
    ]
    context = {"rows": rows, "can_mail": bool(settings.EMAIL_URL), "address": person.email}
    return render(request, "notices/choices.html", context)


@require_safe
def bell(request: HttpRequest) -> HttpResponse:
    """Return the bell if it has something else to say than the page that asks, else nothing."""
    person = _person(request)
    unread = signals.unread(person)
    have = request.GET.get("have", "")
    if have == str(unread):
        return HttpResponse(status=204)
    response = render(request, "notices/_bell.html", {"unread": unread})
    if have.isascii() and have.isdigit() and unread > int(have[:9]):
        newest = Notice.objects.filter(user=person, is_shown=True, read_at=None)
        last = newest.select_related("signal").order_by("-id").first()
        if last is not None:
            response["Desk-News"] = json.dumps(f"Notice: {last.signal.subject}")
    return response
