"""Checks of this machine's side: rows, files, the doorbell, the processes."""

import hashlib
import secrets
import shutil
from datetime import timedelta
from pathlib import Path

import redis
from django.conf import settings
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from calls.models import Heartbeat, Question
from dashboard.doctor import Finding, Level
from dashboard.notices import LANES
from recordings import storage

PATIENCE_S = 2.0
QUESTIONS = {  # name -> (what is asked, how old an answer may be)
    Question.BOARD: ("Which calls live", timedelta(minutes=5)),
    Question.DELIVERIES: ("Which webhooks got lost", timedelta(minutes=15)),
}


def database() -> Finding:
    """Write and read a row, and see whether the tables are up to date."""
    try:
        plan = MigrationExecutor(connection).migration_plan(
            MigrationExecutor(connection).loader.graph.leaf_nodes()
        )
        if plan:
            return Finding(
                Level.WRONG,
                f"{len(plan)} migrations are not applied, first {plan[0][0]}.",
                "Stop the desk, run: python manage.py migrate",
            )
        now = timezone.now()
        with transaction.atomic():
            Heartbeat.objects.update_or_create(name="doctor", defaults={"beat_at": now})
        if Heartbeat.objects.get(name="doctor").beat_at != now:
            return Finding(Level.WRONG, "What was written cannot be read back.", "See its log.")
        return _kind_of_database()
    except DatabaseError as exc:
        return Finding(
            Level.WRONG,
            f"It cannot be used: {exc}",
            "See that it runs, that its disk has room, and that DATABASE_URL is right.",
        )


def _kind_of_database() -> Finding:
    if connection.vendor != "sqlite":
        return Finding(Level.OK, f"{connection.display_name}: written, read, tables up to date.")
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        mode = str(cursor.fetchone()[0])
    if mode != "wal":
        return Finding(
            Level.WRONG,
            f"SQLite's journal mode is {mode}, must be wal.",
            "Put the data folder on a local disk: WAL does not work over a network.",
        )
    return Finding(Level.OK, "SQLite in WAL mode: written, read, tables up to date.")


def storage_works() -> Finding:
    """Write a file, read it back, remove it; see how much room there is."""
    content = secrets.token_bytes(4096)
    name = storage.content_name(hashlib.sha256(content).hexdigest(), "check")
    where = getattr(settings, "MEDIA_STORAGE_NAME", "") or str(settings.MEDIA_ROOT)
    try:
        storage.check_room()
        with storage.draft(f"doctor-{secrets.token_hex(4)}") as (part, file):
            file.write(content)
            storage.publish(part, file, name)
        try:
            back = storage.read(name)
        finally:
            storage.delete(name)
    except storage.Trouble as exc:
        remedy = "Free space, or give the desk the right to write there."
        return Finding(Level.WRONG, str(exc), remedy)
    except FileNotFoundError:
        back = b""
    if back != content:
        return Finding(
            Level.WRONG, f"What was written to {where} came back changed.", "Check the disk."
        )
    free = shutil.disk_usage(Path(settings.MEDIA_ROOT)).free
    text = f"Written, read back and removed; {free >> 30} GB free in {settings.MEDIA_ROOT}."
    if free < 5 * storage.FREE_FLOOR_BYTES:
        return Finding(Level.WARNING, text, "Make room soon: below 1 GB recordings wait.")
    return Finding(Level.OK, text)


def broker() -> Finding:
    """Ping the broker, and see whether it would throw rings away."""
    if not settings.REDIS_URL:
        return Finding(
            Level.WARNING,
            "None is set: the pump does everything, a second later.",
            "Set REDIS_URL to a Valkey or Redis, and start the workers.",
        )
    try:
        client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=PATIENCE_S,
            socket_timeout=PATIENCE_S,
            retry=None,
            decode_responses=True,
        )
        client.ping()
        policy = str(client.config_get("maxmemory-policy").get("maxmemory-policy", ""))
    except redis.ResponseError:  # it answers, and keeps its configuration to itself
        return Finding(Level.OK, "It answers.")
    except (redis.RedisError, OSError, ValueError) as exc:
        return Finding(
            Level.WRONG,
            f"It cannot be reached: {exc}. The pump does the work, a second later.",
            "Start it; REDIS_URL says where it is looked for.",
        )
    if policy and policy != "noeviction":
        text = f"It answers; its maxmemory-policy is {policy}, so it may drop rings."
        return Finding(Level.WARNING, text, "Set maxmemory-policy noeviction.")
    return Finding(Level.OK, "It answers.")


def processes() -> Finding:
    """See who gave a sign of life."""
    now = timezone.now()
    expected = ["pump", *(LANES if settings.REDIS_URL else ())]
    try:
        missing = Heartbeat.objects.missing(expected, now=now)
        web = Heartbeat.objects.filter(name="readyz", beat_at__gt=now - timedelta(minutes=5))
        watched = web.exists()
    except DatabaseError as exc:
        return Finding(Level.UNKNOWN, f"The database cannot be read: {exc}", "See Database.")
    if "pump" in missing:
        text = f"No sign of life of {', '.join(missing)}."
        return Finding(Level.WRONG, text, "Start the pump: python manage.py pump")
    if missing:
        lanes = ",".join(name.removeprefix("worker:") for name in missing)
        return Finding(
            Level.WARNING,
            f"No sign of life of {', '.join(missing)}; the pump does their work, a second later.",
            f"Start them: celery -A dashboard worker -P threads -Q {lanes}",
        )
    told = "" if watched else " Nothing asked /readyz in the last five minutes."
    return Finding(Level.OK, f"{', '.join(expected)} gave a sign of life.{told}")


def questions() -> Finding:
    """See when Telnyx last answered what the desk asks of its own accord."""
    now = timezone.now()
    try:
        asked = {it.name: it for it in Question.objects.filter(name__in=QUESTIONS)}
    except DatabaseError as exc:
        return Finding(Level.UNKNOWN, f"The database cannot be read: {exc}", "See Database.")
    told, late = [], []
    for name, (what, limit) in QUESTIONS.items():
        done_at = asked[name].done_at if name in asked else None
        if name == Question.BOARD and not settings.TELNYX_CONNECTION_ID:
            late.append(f"{what}: never, for TELNYX_CONNECTION_ID is not set")
        elif done_at is None or now - done_at > limit:
            when = f"{timezone.localtime(done_at):%-d %b %H:%M}" if done_at else "never"
            late.append(f"{what}: {when}")
        else:
            told.append(f"{what}: {timezone.localtime(done_at):%H:%M:%S}")
    if late:
        text = f"Late: {'; '.join(late)}."
        return Finding(Level.WARNING, text, "See Processes and API key; the pump asks.")
    return Finding(Level.OK, f"{'; '.join(told)}.")
