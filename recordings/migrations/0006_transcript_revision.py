from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0001_initial"),
        ("recordings", "0005_erasure"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="transcript",
            name="transcript_once_by_recording",
        ),
        migrations.AddField(
            model_name="transcript",
            name="failures",
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="transcript",
            name="revision",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddConstraint(
            model_name="transcript",
            constraint=models.UniqueConstraint(
                condition=models.Q(
                    ("recording_transcription_id", ""),
                    models.Q(("source", "captions"), _negated=True),
                ),
                fields=("call", "recording_key"),
                name="transcript_once_by_recording",
            ),
        ),
        migrations.AddConstraint(
            model_name="transcript",
            constraint=models.UniqueConstraint(
                condition=models.Q(("source", "captions")),
                fields=("recording",),
                name="transcript_once_of_captions",
            ),
        ),
    ]
