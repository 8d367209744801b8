"""Recordings as the library knows them, indexed, for tests of filters and of the search."""

import uuid
from datetime import UTC, datetime

from django.http import QueryDict
from django.utils import timezone

from calls.models import Call
from recordings import filters
from recordings.models import Recording, Transcript, numbers
from recordings.search.index import index
from recordings.search.results import find

STARTED = datetime(2026, 3, 2, 15, 4, 36, tzinfo=UTC)


def make(*, said="", parties=("+12125550100", "+18005550101"), name="", **more):
    """Return a stored recording in which something was said."""
    leg = str(uuid.uuid4())
    call = Call.objects.create(call_leg_id=leg, conversation=leg, caller_name=name)
    now = timezone.now()
    given = {
        "recording_id": str(uuid.uuid4()),
        "state": "stored",
        "since": now,
        "announced_at": now,
        "started_at": STARTED,
        "duration_ms": 2000,
        "channels": 2,
        "direction": "incoming",
    }
    recording = Recording.objects.create(call=call, **numbers(*parties), **(given | more))
    if said:
        say(recording, said)
    else:
        index(recording.pk)
    return recording


def say(recording, text, segments=None):
    transcript = Transcript.objects.create(
        call=recording.call,
        recording=recording,
        recording_key=recording.recording_id,
        recording_transcription_id=str(uuid.uuid4()),
        text=text,
        segments=segments,
        told_at=timezone.now(),
    )
    recording.tell_transcripts()
    index(recording.pk)
    return transcript


def read(**query):
    """Return the filters of an address; `from_` is from."""
    query = {name.rstrip("_"): value for name, value in query.items()}
    asked = QueryDict(mutable=True)
    asked.update(query)
    return filters.read(asked)


def page(user, **query):
    return find(user, read(**query))


def found(user, **query):
    """Return what the first page lists, in its order."""
    return page(user, **query).recordings
