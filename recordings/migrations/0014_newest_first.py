from django.db import migrations

from recordings.search import schema


class Migration(migrations.Migration):
    """SQLite's lists of words begin with the newest; of a million texts, that takes minutes."""

    dependencies = [("recordings", "0013_search_plans")]

    operations = [migrations.RunPython(schema.turn, migrations.RunPython.noop)]
