"""Celery's doorbells of the control and events lanes: a ring means "look", so each drains."""

from celery import shared_task

from calls import commands, events, rules


@shared_task
def control() -> None:
    """Let the rules decide, and send the commands that are due."""
    rules.advance_due()
    commands.send_due()


@shared_task(name="calls.tasks.events")
def apply_events() -> None:
    """Apply the events that are due."""
    events.drain()
