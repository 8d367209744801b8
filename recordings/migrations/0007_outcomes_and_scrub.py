import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0001_initial"),
        ("recordings", "0006_transcript_revision"),
    ]

    operations = [
        migrations.CreateModel(
            name="Backfill",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                (
                    "part",
                    models.CharField(
                        choices=[
                            ("recordings", "Recordings"),
                            ("texts", "Texts"),
                            ("done", "Done"),
                        ],
                        default="recordings",
                        max_length=10,
                    ),
                ),
                ("page", models.PositiveIntegerField(default=1)),
                ("total", models.PositiveIntegerField(null=True)),
                ("shrank", models.BooleanField(default=False)),
                ("seen", models.PositiveIntegerField(default=0)),
                ("new", models.PositiveIntegerField(default=0)),
                ("texts", models.PositiveIntegerField(default=0)),
                ("started_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Sweep",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=16, unique=True)),
                ("due_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
                ("found", models.PositiveIntegerField(default=0)),
                ("error", models.TextField(blank=True)),
            ],
        ),
        migrations.AddField(
            model_name="recording",
            name="found_by",
            field=models.CharField(
                choices=[
                    ("webhook", "Telnyx's webhook"),
                    ("asking", "Asking Telnyx: its webhook never came"),
                    ("import", "Import of what Telnyx held"),
                ],
                default="webhook",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="recording",
            name="started_by",
            field=models.OneToOneField(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="made",
                to="calls.command",
            ),
        ),
        migrations.AlterField(
            model_name="recording",
            name="state",
            field=models.CharField(
                choices=[
                    ("announced", "On its way"),
                    ("fetching", "Downloading"),
                    ("stored", "Stored"),
                    ("waiting_space", "Waiting for storage"),
                    ("failed", "Failed"),
                    ("missing", "Missing"),
                    ("corrupt", "Damaged"),
                    ("deleted", "Deleted"),
                ],
                default="announced",
                max_length=13,
            ),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=models.Index(
                condition=models.Q(("due_at__isnull", False)),
                fields=["found_by", "due_at"],
                name="recording_due_by_source",
            ),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=models.Index(fields=["sha256", "state"], name="recording_by_content"),
        ),
        migrations.AddIndex(
            model_name="recording",
            index=models.Index(fields=["state", "checked_at"], name="recording_by_check"),
        ),
        migrations.AddConstraint(
            model_name="recording",
            constraint=models.CheckConstraint(
                condition=models.Q(("found_by__in", ["webhook", "asking", "import"])),
                name="recording_found_by_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="backfill",
            constraint=models.CheckConstraint(
                condition=models.Q(("part__in", ["recordings", "texts", "done"])),
                name="backfill_part_known",
            ),
        ),
    ]
