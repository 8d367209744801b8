"""The project package: settings, doors, processes. It imports the others; nothing imports it."""

from dashboard.celery import app as celery_app

__all__ = ["celery_app"]
