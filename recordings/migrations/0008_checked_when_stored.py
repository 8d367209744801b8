"""A file is verified when it is stored: say so of those that were stored before."""

from django.db import migrations
from django.db.models import F


def tell(apps, schema_editor):
    stored = apps.get_model("recordings", "Recording").objects.filter(state="stored")
    stored.filter(checked_at=None).update(checked_at=F("since"))


class Migration(migrations.Migration):
    dependencies = [("recordings", "0007_outcomes_and_scrub")]

    operations = [migrations.RunPython(tell, migrations.RunPython.noop)]
