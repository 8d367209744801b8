"""Database work where no request of Django cleans up after it."""

from collections.abc import Callable
from typing import TypeVar

from django.db import close_old_connections, connections

T = TypeVar("T")


def with_connection(work: Callable[[], T]) -> T:
    """Do database work; after a fault the next begins with a new connection."""
    close_old_connections()
    try:
        return work()
    except Exception:
        connections.close_all()
        raise
