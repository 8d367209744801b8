"""Celery's doorbells of the media and texts lanes: a ring means "look", so each drains."""

import threading

from celery import shared_task

from calls.sounds import media as library
from recordings import erase, exports, fetch, timing

_timing = threading.Lock()


@shared_task
def media() -> None:
    """Erase what is due, which is quick, fetch, send sounds to Telnyx, then make the exports."""
    erase.erase_due()
    fetch.fetch_due()
    library.keep_due()
    exports.make_due()


@shared_task
def texts() -> None:
    """Time the texts that are due, one after the other: each takes a processor for itself."""
    if _timing.acquire(blocking=False):
        try:
            timing.time_due()
        finally:
            _timing.release()
