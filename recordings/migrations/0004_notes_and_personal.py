import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("calls", "0001_initial"),
        ("recordings", "0003_place"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Comment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=150)),
                ("text", models.TextField()),
                ("start_ms", models.PositiveIntegerField(null=True)),
                ("end_ms", models.PositiveIntegerField(null=True)),
                ("written_at", models.DateTimeField()),
                ("edited_at", models.DateTimeField(null=True)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by", models.CharField(blank=True, max_length=150)),
            ],
            options={
                "ordering": ["written_at", "id"],
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("query", models.CharField(blank=True, max_length=2000)),
                ("chosen", models.JSONField(default=list)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("requested", "Waiting"),
                            ("working", "Being made"),
                            ("ready", "Ready"),
                            ("failed", "Failed"),
                            ("expired", "Removed"),
                        ],
                        default="requested",
                        max_length=9,
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("requested_at", models.DateTimeField()),
                ("due_at", models.DateTimeField(null=True)),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("total", models.PositiveIntegerField(default=0)),
                ("done", models.PositiveIntegerField(default=0)),
                ("lacking", models.JSONField(default=list)),
                ("path", models.CharField(blank=True, max_length=100)),
                ("size_bytes", models.PositiveBigIntegerField(null=True)),
                ("ready_at", models.DateTimeField(null=True)),
                ("seen_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ["-requested_at"],
            },
        ),
        migrations.CreateModel(
            name="Listening",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("at_ms", models.PositiveIntegerField()),
                ("heard_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Review",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("flagged_at", models.DateTimeField(null=True)),
                ("flagged_by", models.CharField(blank=True, max_length=150)),
                ("flag_reason", models.CharField(blank=True, max_length=200)),
                ("reviewed_at", models.DateTimeField(null=True)),
                ("reviewed_by", models.CharField(blank=True, max_length=150)),
            ],
        ),
        migrations.CreateModel(
            name="Revision",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("name", models.CharField(max_length=150)),
                ("at", models.DateTimeField()),
                ("segments", models.JSONField()),
            ],
            options={
                "ordering": ["number"],
            },
        ),
        migrations.CreateModel(
            name="SavedView",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=60)),
                ("query", models.CharField(blank=True, max_length=2000)),
                ("is_shared", models.BooleanField(default=False)),
                ("is_default", models.BooleanField(default=False)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Tag",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=40, unique=True)),
                ("colour", models.CharField(default="blue", max_length=8)),
            ],
            options={
                "ordering": ["name"],
            },
        ),
        migrations.CreateModel(
            name="Tagging",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("place", models.BigIntegerField()),
                ("at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="recording",
            name="checked_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="recording",
            name="erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="recording",
            name="provider_erased_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="recording",
            name="sides_swapped",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="transcript",
            name="attempts",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="transcript",
            name="due_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="transcript",
            name="timing",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Not asked for"),
                    ("due", "Waiting"),
                    ("working", "Being timed"),
                    ("timed", "Timed"),
                    ("untimed", "Without times"),
                ],
                default="",
                max_length=7,
            ),
        ),
        migrations.AddField(
            model_name="transcript",
            name="timing_reason",
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name="transcript",
            name="timing_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.AlterField(
            model_name="transcript",
            name="source",
            field=models.CharField(
                choices=[("telnyx", "Telnyx"), ("captions", "Live captions")],
                default="telnyx",
                max_length=16,
            ),
        ),
        migrations.AddIndex(
            model_name="transcript",
            index=models.Index(
                condition=models.Q(("timing__in", ["due", "working"])),
                fields=["due_at"],
                name="transcript_due",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="parent",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="answers",
                to="recordings.comment",
            ),
        ),
        migrations.AddField(
            model_name="comment",
            name="recording",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="comments",
                to="recordings.recording",
            ),
        ),
        migrations.AddField(
            model_name="export",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="exports",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="listening",
            name="recording",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="listenings",
                to="recordings.recording",
            ),
        ),
        migrations.AddField(
            model_name="listening",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="listenings",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="review",
            name="recording",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="review",
                to="recordings.recording",
            ),
        ),
        migrations.AddField(
            model_name="revision",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="revision",
            name="transcript",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT,
                related_name="revisions",
                to="recordings.transcript",
            ),
        ),
        migrations.AddField(
            model_name="savedview",
            name="owner",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="saved_views",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="tagging",
            name="by",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="tagging",
            name="recording",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="taggings",
                to="recordings.recording",
            ),
        ),
        migrations.AddField(
            model_name="tagging",
            name="tag",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="taggings",
                to="recordings.tag",
            ),
        ),
        migrations.AddIndex(
            model_name="comment",
            index=models.Index(fields=["recording", "written_at"], name="comment_of_recording"),
        ),
        migrations.AddConstraint(
            model_name="comment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("end_ms", None), ("end_ms__gt", models.F("start_ms")), _connector="OR"
                ),
                name="comment_span_forward",
            ),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(
                condition=models.Q(("state__in", ["requested", "working"])),
                fields=["due_at"],
                name="export_due",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["requested", "working", "ready", "failed", "expired"])
                ),
                name="export_state_known",
            ),
        ),
        migrations.AddConstraint(
            model_name="listening",
            constraint=models.UniqueConstraint(
                fields=("user", "recording"), name="listening_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="revision",
            constraint=models.UniqueConstraint(
                fields=("transcript", "number"), name="revision_number"
            ),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(fields=("owner", "name"), name="saved_view_name"),
        ),
        migrations.AddConstraint(
            model_name="savedview",
            constraint=models.UniqueConstraint(
                condition=models.Q(("is_default", True)),
                fields=("owner",),
                name="saved_view_one_default",
            ),
        ),
        migrations.AddIndex(
            model_name="tagging",
            index=models.Index(fields=["tag", "-place"], name="tagging_newest"),
        ),
        migrations.AddConstraint(
            model_name="tagging",
            constraint=models.UniqueConstraint(fields=("recording", "tag"), name="tagging_once"),
        ),
    ]
