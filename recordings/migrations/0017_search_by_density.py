from django.db import migrations

from recordings.search import schema


class Migration(migrations.Migration):
    """PostgreSQL looks as far at once as what is wanted should be."""

    dependencies = [("recordings", "0016_fill_spoken")]

    operations = [migrations.RunPython(schema.plan, migrations.RunPython.noop)]
