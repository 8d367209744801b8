from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0001_initial"),
        ("recordings", "0004_notes_and_personal"),
    ]

    operations = [
        migrations.AddField(
            model_name="recording",
            name="deleted_by",
            field=models.CharField(blank=True, max_length=150),
        ),
        migrations.AddField(
            model_name="recording",
            name="erasure_answer",
            field=models.TextField(blank=True),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)),
                fields=["state", "due_at"],
                name="recording_erasure_due",
            ),
        ),
    ]
