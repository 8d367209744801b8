"""Lay the two books side by side. Whatever they disagree in is one of

lost     Telnyx was told that it is done, or has it, and the desk has not
doubled  one wish took effect twice, one file is two recordings
wrong    the desk says what is not so
stuck    something is still under way
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from calls.commands import LANES
from calls.models import Command, Kind, WebhookEvent
from dashboard.torture.books import Book, Row, Truth
from recordings.models import State

KINDS = ("lost", "doubled", "wrong", "stuck")


class Difference(NamedTuple):
    """One thing in which the books differ."""

    kind: str
    text: str


Check = Callable[[Truth, Book], Iterator[Difference]]


def calls(truth: Truth, book: Book) -> Iterator[Difference]:
    """Compare line, recording and sound. "In doubt" is true of a recording whose command is."""
    doubtful = {
        row["call_id"]
        for row in book.commands
        if row["state"] == Command.State.UNKNOWN and row["kind"] in LANES["recording"]
    }
    for call in truth.calls:
        row = book.calls.get(call["call_leg_id"])
        if row is None:
            yield Difference("lost", f"call {call['call_leg_id']} is not in the database")
            continue
        for word in ("line", "recording", "sound"):
            in_doubt = word == "recording" and row[word] == "doubt" and row["id"] in doubtful
            if row[word] != call[word] and not in_doubt:
                yield Difference(
                    "wrong", f"{word} of call {call['call_leg_id']}: {row[word]}, not {call[word]}"
                )


def commands(truth: Truth, book: Book) -> Iterator[Difference]:
    """Count what each command did at Telnyx."""
    effects = Counter(row["command_id"] for row in truth.commands if row["took_effect"])
    for row in book.commands:
        count = effects.pop(row["id"], 0)
        name = f"{row['kind']} {row['id']}, {row['state']}"
        if count > 1:
            yield Difference("doubled", f"{name}, took effect {count} times")
        elif row["state"] in Command.OPEN:
            yield Difference("stuck", f"{name}: {row['error'] or 'no error'}")
        elif row["state"] == Command.State.CONFIRMED and row["kind"] == Kind.HANGUP:
            continue  # it is over, as was wished, whoever was quicker
        elif row["state"] in Command.APPLIED and not count:
            yield Difference("lost", f"{name}, took no effect")
        elif row["state"] in (Command.State.FAILED, Command.State.EXPIRED) and count:
            yield Difference("wrong", f"{name}, took effect all the same")
    for command_id in effects:
        yield Difference("wrong", f"command {command_id} took effect, and no row asks for it")


def presses(truth: Truth, book: Book) -> Iterator[Difference]:
    """Look for the command of each press that was answered as one."""
    known = {row["request_id"] for row in book.commands}
    for press in book.presses:
        if press.status == 200 and not press.has_joined and press.request_id not in known:
            yield Difference("lost", f"a press of {press.kind} was answered, and left no command")


def webhooks(truth: Truth, book: Book) -> Iterator[Difference]:
    """Look for every event: those that were acknowledged, and those that never were."""
    tries: dict[str, list[Row]] = {}
    for row in truth.webhooks:
        tries.setdefault(row["event_id"], []).append(row)
    for event_id, rows in tries.items():
        name = f"{rows[0]['event_type']} {event_id}"
        event = book.events.get(event_id)
        if event is None and any(row["status"] == 200 for row in rows):
            yield Difference("lost", f"{name} was acknowledged, and is not in the database")
        elif event is None:
            answers = ", ".join(str(row["status"] or row["error"]) for row in rows)
            yield Difference("lost", f"{name} was never acknowledged: {answers}"[:300])
        elif event["state"] == WebhookEvent.State.PENDING:
            yield Difference("stuck", f"{name} waits to be applied: {event['error']}")
        elif event["state"] != WebhookEvent.State.APPLIED:
            yield Difference("wrong", f"{name} is {event['state']}: {event['error']}")


def recordings(truth: Truth, book: Book) -> Iterator[Difference]:
    """Compare the files, byte by byte; one that is not stored has to say why."""
    rows = {row["recording_id"]: row for row in book.recordings}
    for call in truth.calls:
        for made in call["recordings"]:
            name = f"recording {made['id']}"
            row = rows.pop(made["id"], None)
            if made["state"] != "saved":
                yield Difference("stuck", f"{name} is {made['state']} at Telnyx")
            elif row is None:
                yield Difference("lost", f"{name} is not in the database")
            else:
                yield from _file(name, row, truth, book)
    for row in rows.values():
        yield Difference("doubled", f"recording {row['recording_id']!r} is none of Telnyx's")


def _file(name: str, row: Row, truth: Truth, book: Book) -> Iterator[Difference]:
    if row["state"] in (State.ANNOUNCED, State.FETCHING, State.WAITING_SPACE):
        yield Difference("stuck", f"{name} is {row['state']}, attempt {row['attempts']}")
    elif row["state"] != State.STORED:
        if not row["reason"]:
            yield Difference("lost", f"{name} is {row['state']}, and does not say why")
    elif (row["size_bytes"], row["sha256"]) != truth.files[row["recording_id"]]:
        yield Difference("wrong", f"{name} is another file than Telnyx's")
    elif book.files.get(row["path"]) != truth.files[row["recording_id"]]:
        yield Difference("lost", f"the file of {name} is not on disk as it was stored")


def drafts(truth: Truth, book: Book) -> Iterator[Difference]:
    """Look for what dead downloads left behind."""
    for name in book.drafts:
        yield Difference("stuck", f"the draft {name} is left on disk")


WHILE_LIVE: tuple[Check, ...] = (calls, commands, presses, webhooks)
WHEN_OVER: tuple[Check, ...] = (*WHILE_LIVE, recordings)


def differences(checks: Iterable[Check], truth: Truth, book: Book) -> list[Difference]:
    """Return everything in which the books differ, as far as these checks look."""
    return [difference for check in checks for difference in check(truth, book)]
