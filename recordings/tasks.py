"""Celery's doorbell for the media lane: a ring means "look", so it drains what is due."""

from celery import shared_task

from recordings import exports, fetch


@shared_task
def media() -> None:
    """Fetch the recordings that are due, then make the exports."""
    fetch.fetch_due()
    exports.make_due()
