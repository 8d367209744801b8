from itertools import groupby

from django.db import migrations

from recordings.search.document import lines
from recordings.sentences import split

BATCH = 500


def fill(apps, schema_editor):
    """Write the lines of the best text of each recording that has one of its own.

    Of live captions, and of texts that name only a call, they come with `manage.py reindex`.
    """
    recordings, spoken, transcripts = (
        apps.get_model("recordings", name).objects
        for name in ("Recording", "Spoken", "Transcript")
    )
    told = transcripts.exclude(text="").order_by("recording", "told_at", "id")
    after = -1
    while places := dict(
        recordings.filter(place__gt=after).order_by("place").values_list("pk", "place")[:BATCH]
    ):
        after = max(places.values())
        of_each = groupby(told.filter(recording__in=places), key=lambda each: each.recording_id)
        lines_of = {pk: _lines(max(list(each)[::-1], key=_rank)) for pk, each in of_each}
        spoken.bulk_create(
            spoken.model(place=place, recording_id=pk, lines=lines_of.get(pk, ""))
            for pk, place in places.items()
        )


def _rank(transcript):
    return transcript.revision > 0, transcript.timing == "timed", transcript.source == "telnyx"


def _lines(transcript):
    if transcript.segments is None:
        return lines((each.text, None) for each in split(transcript.text))
    return lines((each["text"], each.get("start_ms")) for each in transcript.segments)


class Migration(migrations.Migration):
    dependencies = [("recordings", "0015_spoken")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
