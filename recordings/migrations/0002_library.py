from django.db import migrations, models

import recordings.models.recording


def give_places(apps, schema_editor):
    Recording = apps.get_model("recordings", "Recording")
    for pk, started_at in Recording.objects.values_list("pk", "started_at").iterator():
        place = recordings.models.recording.place_of(started_at, pk)
        Recording.objects.filter(pk=pk).update(place=place)


def tell_texts(apps, schema_editor):
    Transcript = apps.get_model("recordings", "Transcript")
    said = Transcript.objects.exclude(text="").exclude(recording=None)
    Recording = apps.get_model("recordings", "Recording")
    Recording.objects.filter(pk__in=said.values("recording")).update(has_transcript=True)


class Migration(migrations.Migration):
    dependencies = [("recordings", "0001_initial")]

    operations = [
        migrations.AlterModelOptions("recording", {"ordering": ["-place"]}),
        migrations.AddField("recording", "place", models.BigIntegerField(null=True)),
        migrations.AddField(
            "recording",
            "agent",
            models.CharField(blank=True, default="", max_length=255),
            preserve_default=False,
        ),
        migrations.AddField("recording", "has_transcript", models.BooleanField(default=False)),
        migrations.AddField("recording", "flagged", models.BooleanField(default=False)),
        migrations.AddField("recording", "reviewed", models.BooleanField(default=False)),
        migrations.AddField("recording", "paused", models.BooleanField(default=False)),
        migrations.AddField(
            "transcript",
            "language",
            models.CharField(blank=True, default="", max_length=16),
            preserve_default=False,
        ),
        migrations.AddField("transcript", "segments", models.JSONField(null=True)),
        migrations.RunPython(give_places, migrations.RunPython.noop),
        migrations.RunPython(tell_texts, migrations.RunPython.noop),
    ]
