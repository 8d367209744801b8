"""Commands in the words of the page: what was asked, by whom, how far it came, what to do next.

Three words are kept apart: requested (by a person), accepted (Telnyx answered 2xx), confirmed (its
webhook came). For the kinds without a webhook the page never says more than accepted.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.contrib.auth.models import User

from calls import fold
from calls.commands import EMPTIED, LANES
from calls.models import Call, Command, Kind
from calls.sounds.names import plain

DOING = {
    Kind.RECORD_START: "Starting the recording",
    Kind.RECORD_PAUSE: "Pausing",
    Kind.RECORD_RESUME: "Resuming",
    Kind.RECORD_STOP: "Stopping the recording",
    Kind.SPEAK: "Sending the text",
    Kind.PLAYBACK_START: "Starting the sound",
    Kind.PLAYBACK_STOP: "Stopping the sound",
    Kind.ANSWER: "Answering",
    Kind.HANGUP: "Hanging up",
    Kind.DIAL: "Calling",
    Kind.TRANSCRIPTION_START: "Starting captions",
    Kind.TRANSCRIPTION_STOP: "Stopping captions",
    Kind.SWITCH_SUPERVISOR_ROLE: "Switching the role",
}
LABELS: dict[str, str] = dict(Kind.choices)
TROUBLE = {
    Command.State.FAILED: "Failed",
    Command.State.EXPIRED: "Not sent",
    Command.State.UNKNOWN: "In doubt",
    Command.State.TIMED_OUT: "Accepted, but not confirmed",
}
ADVICE = {
    Command.State.FAILED: "Nothing changed on the call.",
    Command.State.EXPIRED: "Nothing changed on the call; press again if it is still wanted.",
    Command.State.UNKNOWN: "It may have taken effect or not; press again to be sure.",
    Command.State.TIMED_OUT: "Listen to the call, or press again.",
}
RECORDING_IN_DOUBT = (
    "The recording may run or not: pause or stop it again to be sure, and check the file."
)
DIAL_ADVICE = {
    Command.State.FAILED: "No call was placed.",
    Command.State.EXPIRED: "No call was placed; press again if it is still wanted.",
    Command.State.UNKNOWN: "It may have been placed: look at the board before calling again.",
}
LISTEN_ADVICE = {
    Command.State.FAILED: "Nobody was called, and nobody listens in.",
    Command.State.EXPIRED: "Nobody was called; press again if it is still wanted.",
    Command.State.UNKNOWN: "The phone may ring all the same; answered, it only listens.",
}
NEWEST = 6  # commands of a leg that its row looks at
MOST_DIALS = 20  # that the board lists


@dataclass(frozen=True, slots=True)
class Wish:
    """One command, ready to be shown."""

    command: Command

    @property
    def label(self) -> str:
        if self.listens_in:
            return "Listen in"
        return LABELS.get(self.command.kind, self.command.kind)

    @property
    def listens_in(self) -> bool:
        """Say whether this calls a supervisor's own phone, to hear another call."""
        return bool(self.command.params.get("supervise_call_control_id"))

    @property
    def who(self) -> str:
        return author(self.command)

    @property
    def why(self) -> str:
        """Return the reason that was given."""
        return str(self.command.get_why_display())

    @property
    def object(self) -> str:
        """Return what the command is about, beyond its kind."""
        params = self.command.params
        for field in ("payload", "media_name", "audio_url", "to", "role"):
            if isinstance(params.get(field), str):
                return plain(str(params[field])) if field == "media_name" else str(params[field])
        return ""

    @property
    def is_again(self) -> bool:
        """Say whether the desk asked again of its own accord."""
        return self.command.follows_id is not None

    @property
    def doing(self) -> str:
        if self.listens_in:
            return "Calling the supervisor's phone"
        return DOING.get(Kind(self.command.kind), "Asking")

    @property
    def trouble(self) -> str:
        if self.command.code == EMPTIED:
            return "Taken out of the queue"
        return TROUBLE.get(Command.State(self.command.state), "")

    @property
    def reason(self) -> str:
        """Return why it went wrong, or what keeps it waiting."""
        return self.command.error

    @property
    def advice(self) -> str:
        """Return what to do next; nothing once the call is over."""
        call = self.command.call
        if (call is not None and call.line == fold.Line.ENDED) or self.command.code == EMPTIED:
            return ""
        state = Command.State(self.command.state)
        if state == Command.State.UNKNOWN and self.command.kind in LANES["recording"]:
            return RECORDING_IN_DOUBT
        if state == Command.State.EXPIRED and self.command.is_ours:
            return "The desk asks again."
        if self.listens_in and state in LISTEN_ADVICE:
            return LISTEN_ADVICE[state]
        if self.command.kind == Kind.DIAL and state in DIAL_ADVICE:
            return DIAL_ADVICE[state]
        return ADVICE.get(state, "")

    @property
    def accepted_is_all(self) -> bool:
        """Say whether "accepted" is the most that will ever be known."""
        return self.command.accepted_at is not None and not self.command.has_webhook

    @property
    def awaits_webhook(self) -> bool:
        return self.command.state == Command.State.ACCEPTED and self.command.has_webhook


def name(user: User | None) -> str:
    """Return how people call a person."""
    return user.get_full_name() or user.get_username() if user is not None else "somebody"


def author(command: Command) -> str:
    """Return who asked for a command: a person, or the desk, perhaps for one of its rules."""
    if command.rule is not None:
        return f"the desk, rule “{command.rule}”"
    return "the desk" if command.is_ours else name(command.requested_by)


def newest(calls: Iterable[Call]) -> dict[object, list[Command]]:
    """Return the last few commands of each call and its open ones, oldest first; two queries.

    The first is for their keys alone: most calls have no command, and one may have hundreds.
    """
    known = {call.pk: call for call in calls}
    found: dict[object, list[Command]] = {key: [] for key in known}
    keys = Command.objects.filter(call__in=known).order_by("-requested_at", "pk")
    seen: Counter[object] = Counter()
    wanted = []
    for call, pk, state in keys.values_list("call_id", "pk", "state"):
        seen[call] += 1
        if seen[call] <= NEWEST or state in Command.OPEN:
            wanted.append(pk)
    if wanted:
        rows = Command.objects.filter(pk__in=wanted).select_related("requested_by", "rule")
        for command in rows.order_by("requested_at", "pk"):
            if command.call_id:
                command.call = known[command.call_id]  # its row is here already
                found[command.call_id].append(command)
    return found


def worth_saying(commands: Sequence[Command]) -> list[Wish]:
    """Keep what is open, what came last, and the trouble that no later wish of its kind mended."""
    latest = {command.kind: command for command in commands}
    return [
        Wish(command)
        for command in commands
        if command.is_open
        or command is commands[-1]
        or (command.state in TROUBLE and latest[command.kind] is command)
    ]


def troubles(commands: Sequence[Command]) -> list[Wish]:
    """Keep the trouble that no later wish of its kind mended."""
    latest = {command.kind: command for command in commands}
    return [
        Wish(command)
        for command in commands
        if command.state in TROUBLE and latest[command.kind] is command
    ]


def pending(commands: Iterable[Command], kinds: Iterable[str]) -> Wish | None:
    """Return the open wish of one of these kinds, if there is one."""
    wanted = set(kinds)
    return next((Wish(it) for it in commands if it.is_open and it.kind in wanted), None)


def dials(*, since: datetime) -> list[Wish]:
    """Return calls being placed, and those that failed lately: no row of the board shows them."""
    rows = Command.objects.filter(kind=Kind.DIAL, call=None, requested_at__gt=since)
    newest = rows.select_related("requested_by").order_by("-requested_at")[:MOST_DIALS]
    return [Wish(row) for row in newest][::-1]
