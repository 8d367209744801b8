"""Let people hear of a pause whose time is up and which the desk could not end by itself."""

from calls import guard, signals
from calls.models import Guard


@guard.hears_escalations
def tell(watched: Guard) -> None:
    """Tell it once; in the transaction that writes the escalation down."""
    call = watched.call
    signals.tell(
        "pause.overdue",
        f"A recording is still paused: {call}",
        watched.trouble,
        call.get_absolute_url(),
        cause=str(watched.pk),
        call=call.pk,
    )
