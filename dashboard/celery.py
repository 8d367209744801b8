"""Celery: doorbell workers, one process per lane. No results, no beat, no due times in messages.

Each worker process leaves a heartbeat row, which says more than asking through the broker would.
"""

import logging
import os
import threading
import time
from typing import Any

from celery import Celery
from celery.signals import worker_ready
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "dashboard.settings")

from django.conf import settings

from dashboard.garbage import settle


def celery_url(url: str) -> str:
    """Return the broker's address in Celery's spelling of unix:///path."""
    return url.replace("unix://", "redis+socket://", 1) if url else "memory://"


app = Celery("tapeline")
app.conf.update(
    broker_url=celery_url(settings.REDIS_URL),
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,  # safe: attempts are counted in the rows
    task_publish_retry=False,
    task_time_limit=600,
    task_soft_time_limit=570,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=3,
    worker_enable_soft_shutdown_on_idle=False,
    worker_hijack_root_logger=False,
    worker_cancel_long_running_tasks_on_connection_loss=True,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_connection_timeout=2,
    broker_transport_options={
        "visibility_timeout": 900,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 0.5,
        "socket_timeout": 5,  # without it a silently dropped connection wedges the worker for good
        "socket_keepalive": not settings.REDIS_URL.startswith("unix:"),
        "health_check_interval": 10,
        "max_retries": 0,  # else a dead broker blocks a publish for seconds
        "interval_start": 0,
        "interval_step": 0,
    },
    task_serializer="json",
    accept_content=["json"],
    timezone="UTC",
    task_queues=[
        Queue(lane) for lane in ("control", "events", "media", "texts", "forward", "signals")
    ],
    task_create_missing_queues=False,
)
app.autodiscover_tasks(["calls", "recordings"])

HEARTBEAT_S = 5
logger = logging.getLogger(__name__)


@worker_ready.connect
def beat(sender: Any = None, **kwargs: object) -> None:
    """Leave a sign of life for every lane this worker serves, from now on."""
    settle()
    lanes = [queue.name for queue in sender.task_consumer.queues]
    threading.Thread(target=_beat, args=(lanes,), name="heartbeat", daemon=True).start()


def _beat(lanes: list[str]) -> None:
    from django.db import DatabaseError, close_old_connections

    from calls.models import Heartbeat

    while True:
        try:
            close_old_connections()
            for lane in lanes:
                Heartbeat.objects.beat(f"worker:{lane}")
        except DatabaseError as exc:
            logger.warning("no heartbeat: %s", exc)
        time.sleep(HEARTBEAT_S)
