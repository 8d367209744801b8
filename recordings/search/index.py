"""Keeps the searched text of recordings right: call it when text, parties or place change.

index(recording_id)        rebuild(after=...) for all, in batches, from where it stopped
"""

from collections.abc import Iterator, Sequence
from uuid import UUID

from django.db import connection, transaction

from recordings import said
from recordings.models import Recording, SearchText, Spoken
from recordings.search.document import as_kept, document, lines
from recordings.sentences import Sentence, joined

BATCH = 500


def index(recording_id: UUID) -> None:
    """Write the searched text of a recording anew, if it changed; safe to repeat."""
    with transaction.atomic():
        # held, so that of two who index it the later one reads what the earlier one did not
        held = Recording.objects.select_for_update(of=("self",)).select_related("call")
        recording = held.filter(pk=recording_id).first()
        if recording is None:
            return
        searched, shown = texts_of(recording)
        _keep(SearchText, recording, document=as_kept(searched, connection.vendor))
        _keep(Spoken, recording, lines=shown)


def _keep(model: type[SearchText] | type[Spoken], recording: Recording, **columns: str) -> None:
    """Put another row in the place of a recording's, if it changed."""
    old = model.objects.filter(recording=recording)
    if old.filter(place=recording.place, **columns).exists():
        return
    old.delete()
    model.objects.create(place=recording.place, recording=recording, **columns)


def texts_of(recording: Recording) -> tuple[str, str]:
    """Return the searched text of a recording as it should be, and its lines."""
    addresses = [recording.from_number, recording.to_number, recording.agent]
    words, sentences = _said(recording)
    return (
        document(words, addresses, recording.call.caller_name),
        lines((each.text, each.start_ms) for each in sentences),
    )


def _said(recording: Recording) -> tuple[str, Sequence[Sentence]]:
    """Return what was said, as words and as sentences: the best text, else the captions."""
    best = said.best(recording)
    if best is not None:
        return best.text, said.sentences_of(best)
    captions = said.lines(recording)
    return joined(captions), captions


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
