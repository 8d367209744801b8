import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """What a page shows of a text has a row of its own."""

    dependencies = [("recordings", "0014_newest_first")]

    operations = [
        migrations.CreateModel(
            "Spoken",
            [
                ("place", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "recording",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="spoken",
                        to="recordings.recording",
                    ),
                ),
                ("lines", models.TextField(blank=True)),
            ],
        ),
    ]
