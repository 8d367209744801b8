from django.db import migrations

from recordings.search.document import as_kept, document


def fill(apps, schema_editor):
    """Index what there was, by its newest text; live captions come with `manage.py reindex`."""
    recordings, texts, transcripts = (
        apps.get_model("recordings", name).objects
        for name in ("Recording", "SearchText", "Transcript")
    )
    for recording in recordings.select_related("call").iterator(chunk_size=500):
        said = transcripts.filter(recording=recording).exclude(text="")
        newest = said.order_by("-told_at", "-id").first()
        text = document(
            newest.text if newest else "",
            [recording.from_number, recording.to_number],
            recording.call.caller_name,
        )
        texts.create(
            recording=recording,
            place=recording.place,
            document=as_kept(text, schema_editor.connection.vendor),
        )


class Migration(migrations.Migration):
    dependencies = [("recordings", "0009_search_columns")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
