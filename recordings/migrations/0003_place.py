from django.db import migrations

import recordings.models.recording


class Migration(migrations.Migration):
    """Apart from filling it: PostgreSQL alters no table whose rows the transaction changed."""

    dependencies = [("recordings", "0002_library")]

    operations = [
        migrations.AlterField(
            "recording",
            "place",
            recordings.models.recording.PlaceField(editable=False, unique=True),
        ),
    ]
