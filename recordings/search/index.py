"""Keeps the searched text of recordings right: call it when text, parties or place change.

index(recording_id)        rebuild(after=...) for all, in batches, from where it stopped
"""

from collections.abc import Iterator
from uuid import UUID

from django.db import connection, transaction

from recordings import said
from recordings.models import Recording, SearchText
from recordings.search.document import as_kept, document

BATCH = 500


def index(recording_id: UUID) -> None:
    """Write the searched text of a recording anew, if it changed; safe to repeat."""
    with transaction.atomic():
        # held, so that of two who index it the later one reads what the earlier one did not
        held = Recording.objects.select_for_update(of=("self",)).select_related("call")
        recording = held.filter(pk=recording_id).first()
        if recording is None:
            return
        document = as_kept(document_of(recording), connection.vendor)
        old = SearchText.objects.filter(recording=recording)
        if old.filter(place=recording.place, document=document).exists():
            return
        old.delete()
        SearchText.objects.create(place=recording.place, recording=recording, document=document)


def document_of(recording: Recording) -> str:
    """Return the searched text of a recording as it should be."""
    addresses = [recording.from_number, recording.to_number, recording.agent]
    return document(words_of(recording), addresses, recording.call.caller_name)


def words_of(recording: Recording) -> str:
    """Return what was said: the best text, else the captions."""
    best = said.best(recording)
    return best.text if best else "\n".join(line.text for line in said.lines(recording))


def rebuild(*, after: int = -1) -> Iterator[int]:
    """Index every recording above a place, oldest first; yield each place that is done."""
    while True:
        rows = Recording.objects.filter(place__gt=after).order_by("place")
        batch = list(rows.values_list("pk", "place")[:BATCH])
        for pk, place in batch:
            index(pk)
            after = place
            yield place
        if len(batch) < BATCH:
            return
