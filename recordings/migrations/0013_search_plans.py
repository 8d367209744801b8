from django.db import migrations

from recordings.search import schema


class Migration(migrations.Migration):
    """Rare words are looked up at once, by the planner's estimate of how many there are."""

    dependencies = [("recordings", "0011_search_index")]

    operations = [migrations.RunPython(schema.plan, migrations.RunPython.noop)]
