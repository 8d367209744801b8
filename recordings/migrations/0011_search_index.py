from django.db import migrations

from recordings.search import schema


class Migration(migrations.Migration):
    dependencies = [("recordings", "0010_fill_search")]

    operations = [migrations.RunPython(schema.create, schema.drop)]
