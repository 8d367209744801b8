"""Celery's doorbells of the control and events lanes: a ring means "look", so each drains."""

from celery import shared_task

from calls import commands, deliveries, events, forwarding, rules, signals


@shared_task
def control() -> None:
    """Let the rules decide, and send the commands that are due."""
    rules.advance_due()
    commands.send_due()


@shared_task(name="calls.tasks.events")
def apply_events() -> None:
    """Apply the events that are due."""
    events.drain()


@shared_task
def forward() -> None:
    """Pass on to the neighbours what is due."""
    forwarding.forward_due()


@shared_task(name="calls.tasks.signals")
def tell_signals() -> None:
    """Fan out new signals, and set threads to what is to be delivered; mail is the pump's."""
    signals.fan_out_due()
    deliveries.deliver_due()
