"""Celery's doorbell for the media lane: a ring means "look", so it drains what is due."""

from celery import shared_task

from recordings import fetch


@shared_task
def media() -> None:
    """Fetch the recordings that are due."""
    fetch.fetch_due()
