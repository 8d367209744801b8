"""Celery's doorbell for the media lane: a ring means "look", so it drains what is due."""

from celery import shared_task

from recordings import erase, fetch


@shared_task
def media() -> None:
    """Erase what is due, which is quick, then fetch."""
    erase.erase_due()
    fetch.fetch_due()
