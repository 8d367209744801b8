"""The page of a recording: where its file is, how it sounds, what was said and what happened."""

import secrets
from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from access.policies import Right, may
from calls.models import Call
from calls.ring import ring
from recordings import erase, filters, proof, sounds, strip, timeline
from recordings.forms.deletion import Deletion
from recordings.models import Listening, Recording
from recordings.search import results
from recordings.sounds import Heard
from recordings.timeline import Timeline
from recordings.views import notes, transcript
from recordings.views.gates import SERVED, fails_closed, for_our_pages, visible

SPEEDS = [f"{quarters / 4:g}" for quarters in range(2, 13)]  # 0.5 to 3
WORTH_RESUMING_MS = 5_000  # from either end
LONGEST_MS = 1 << 31  # 24 days; what the column holds
MOST_LEGS = 50


@require_safe
@fails_closed
def detail(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Show a recording: where its file is, how it sounds, what was said and what happened."""
    recording = visible(request, pk)
    if request.headers.get("HX-Request") and not recording.is_moving:
        return HttpResponse(headers={"HX-Refresh": "true"})  # the file has come, or never will
    return _page(request, recording, Deletion(auto_id="deletion-%s"))


def _page(request: HttpRequest, recording: Recording, deletion: Deletion) -> HttpResponse:
    legs = _legs(recording)
    story = timeline.of(recording, legs)
    context = {
        "recording": recording,
        "play": secrets.token_urlsafe(9),
        "speeds": SPEEDS,
        "timeline": story,
        "proof": proof.of(recording, story.pauses, is_trimmed=story.is_trimmed),
        "strip": strip.of(
            recording, legs, _of_conversation(request, recording, legs), story.pauses
        ),
        "neighbours": _neighbours(request, recording),
        "deletion": deletion,
        "erased_is_shared": recording.erased_at is not None and erase.is_shared(recording),
    }
    context |= notes.context(request, recording)
    context |= transcript.context(request, recording)
    if may(request.user, Right.LISTEN) and recording.is_stored:
        heard = sounds.of(recording)
        context |= {"heard": heard, "shares": _shares(heard, story)}
        context["resume_s"] = _resume_s(request, recording)
    status = 422 if deletion.errors else 200
    return render(request, "recordings/detail.html", context, status=status)


def _legs(recording: Recording) -> list[Call]:
    together = Call.objects.talking().filter(conversation=recording.call.conversation)
    legs = together.eldest_first()
    return list(legs[:MOST_LEGS]) or [recording.call]


def _of_conversation(
    request: HttpRequest, recording: Recording, legs: list[Call]
) -> list[Recording]:
    """Return the recordings of the conversation, by their start; this one is among them."""
    found = {*Recording.objects.visible_to(request.user).filter(call__in=legs), recording}
    # sorted here: asked for an order, a database may walk the whole library instead
    return sorted(found, key=lambda one: one.place)


def _shares(heard: Heard | None, story: Timeline) -> list[tuple[object, int]]:
    """Return the sides with their share of the talk in percent, as they are drawn."""
    if heard is None or len(heard.shares) != len(story.sides):
        return []
    return [(side, heard.shares[channel]) for channel, side in story.drawn]


def _resume_s(request: HttpRequest, recording: Recording) -> float | None:
    """Return where this person stopped, unless the address leads elsewhere."""
    if "t" in request.GET:
        return None
    last = Listening.objects.filter(recording=recording, user=_person(request)).first()
    until_ms = (recording.duration_ms or 0) - WORTH_RESUMING_MS
    if last is None or not WORTH_RESUMING_MS <= last.at_ms <= until_ms:
        return None
    return last.at_ms / 1000


@dataclass(frozen=True, slots=True)
class Neighbours:
    """What stands before and after a recording in the list that somebody came from."""

    query: str = ""
    previous: str = ""
    next: str = ""
    problem: str = ""


def _neighbours(request: HttpRequest, recording: Recording) -> Neighbours:
    """Find a recording's neighbours by their place within the filters of ?list=."""
    query = request.GET.get("list", "").lstrip("?")
    try:
        asked = QueryDict(query)
        found = results.neighbours(_person(request), filters.read(asked), recording)
    except filters.Invalid as exc:
        return Neighbours(problem=str(exc))
    return Neighbours(asked.urlencode(), *(_page_of(one, query) for one in found))


def _page_of(recording: Recording | None, query: str) -> str:
    if recording is None:
        return ""
    address = recording.get_absolute_url()
    return f"{address}?{urlencode({'list': query})}" if query else address


@require_safe
@for_our_pages
def facts(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Return what happened and where it is silent, for the player to draw."""
    recording = visible(request, pk, Right.LISTEN)
    story = timeline.of(recording, _legs(recording))
    heard = sounds.of(recording) if recording.is_stored else None
    marks = [
        {
            "kind": mark.kind,
            "start": round(mark.start_s, 2),
            "end": None if mark.end_s is None else round(mark.end_s, 2),
            "title": mark.title,
            "detail": mark.detail,
            "lasted": mark.lasted_s,
            "approximate": mark.is_approximate,
        }
        for mark in story.marks
    ]
    told = {
        "mode": story.mode,
        "marks": marks,
        "silences": heard.silences if heard else [],
        "overlaps": heard.overlaps if heard else [],
    }
    return JsonResponse(told, headers=SERVED)


@require_POST
@for_our_pages
def position(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Remember where this person is in a recording."""
    recording = visible(request, pk, Right.LISTEN)
    text = request.POST.get("at_ms", "")
    if not text.isascii() or not text.isdecimal() or len(text) > 10 or int(text) >= LONGEST_MS:
        return HttpResponse(
            f"at_ms is {text[:40]!r}, which is no whole number from 0 to {LONGEST_MS - 1}.",
            status=422,
            content_type="text/plain; charset=utf-8",
        )
    Listening.objects.update_or_create(
        user=_person(request),
        recording=recording,
        defaults={"at_ms": int(text), "heard_at": timezone.now()},
    )
    return HttpResponse(status=204)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101  (nobody else holds a right)
    return request.user


@require_POST
@fails_closed
def delete(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Delete a recording for good; its page stays and says so."""
    recording = visible(request, pk, Right.DELETE)
    form = Deletion(request.POST, auto_id="deletion-%s")
    if not form.is_valid():
        return _page(request, recording, form)
    erase.request([recording], _person(request), form.cleaned_data["why"])
    ring("media")
    return redirect(recording)
