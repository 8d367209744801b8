import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Case, Q, Value, When

from recordings.search import schema


def index(name, *fields, condition=None):
    made = models.Index(fields=fields, name=name, condition=condition)
    return migrations.AddIndex("recording", made)


class Migration(migrations.Migration):
    """Each filter gets an index that ends with the place; who and what gets a text."""

    dependencies = [("recordings", "0008_checked_when_stored")]

    operations = [
        migrations.CreateModel(
            "SearchText",
            [
                ("place", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "recording",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="text",
                        to="recordings.recording",
                    ),
                ),
                ("document", models.TextField()),
            ],
        ),
        migrations.RemoveIndex("recording", "recording_newest"),
        migrations.RemoveIndex("recording", "recording_by_state"),
        migrations.RemoveIndex("recording", "recording_from"),
        migrations.RemoveIndex("recording", "recording_to"),
        migrations.RemoveField("recording", "from_reversed"),
        migrations.RemoveField("recording", "to_reversed"),
        migrations.AddField(
            "recording",
            "length",
            models.GeneratedField(
                db_persist=True,
                expression=Case(
                    When(duration_ms=None, then=Value(None)),
                    *(
                        When(duration_ms__lt=15_000 << step, then=Value(step))
                        for step in range(10)
                    ),
                    default=Value(10),
                ),
                output_field=models.PositiveSmallIntegerField(null=True),
            ),
        ),
        index("recording_by_state", "state", "-place"),
        index("recording_by_direction", "direction", "-place"),
        index("recording_by_channels", "channels", "-place"),
        index("recording_by_transcript", "has_transcript", "-place"),
        index("recording_by_reviewed", "reviewed", "-place"),
        index("recording_flagged", "-place", condition=Q(flagged=True)),
        index("recording_paused", "-place", condition=Q(paused=True)),
        index("recording_by_length", "length", "-place", "duration_ms"),
        index("recording_longest", "-duration_ms", "-place"),
        migrations.RunPython(schema.narrow, migrations.RunPython.noop),
    ]
