from django.db import migrations

from recordings.search import schema


class Migration(migrations.Migration):
    """Each word is a condition of its own, and what is rare is looked up at once."""

    dependencies = [("recordings", "0012_pause_unverified")]

    operations = [migrations.RunPython(schema.plan, migrations.RunPython.noop)]
