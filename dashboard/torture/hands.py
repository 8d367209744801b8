"""Who acts in a round: the callers, by the simulator's levers, and the supervisors, by HTTP.

A supervisor whose press was not answered presses the same button again: its `request_id` is the
same, so however often it takes, it is one wish.
"""

import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import requests

from calls.commands import why_not
from calls.models import REASONS, Call, Kind
from dashboard.bench.desk import LIVE, Desk, csrf_token
from dashboard.torture.plan import Act

PEOPLE = ("customer", "agent")
LINES = (
    "I would like to pay my bill.",
    "Could you tell me the number again, please?",
    "Yes, that is right.",
    "One moment, I will look it up for you.",
    "Thank you, that was all.",
)
KINDS = (  # as often as they are likely
    *(Kind.RECORD_START,) * 4,
    *(Kind.RECORD_PAUSE,) * 3,
    *(Kind.RECORD_RESUME,) * 3,
    *(Kind.RECORD_STOP,) * 2,
    *(Kind.SPEAK,) * 3,
    *(Kind.PLAYBACK_START,) * 2,
    *(Kind.PLAYBACK_STOP,) * 2,
    Kind.HANGUP,
)
SUPERVISOR = "sam"
PATIENCE_S = 20.0  # a killed web process is back long before
AGAIN_S = 0.3

T = TypeVar("T")


def pick(some: Sequence[T], draw: float) -> T:
    """Return the member that a draw between 0 and 1 means."""
    return some[int(draw * len(some))]


class Caller:
    """The people on the phone."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.placed: list[str] = []  # the customers' tokens of this round
        self.sessions: set[str] = set()
        self.count = 0

    def do(self, act: Act) -> None:
        """Place a call, or do something on one of them."""
        if act.verb == "place":
            self.place()
            return
        if not self.placed:
            return
        token, body = pick(self.placed, act.draws[0]), {}
        if act.verb == "say":
            body = {"party": pick(PEOPLE, act.draws[1]), "text": pick(LINES, act.draws[2])}
        elif act.verb == "dtmf":
            body = {"digits": f"{int(act.draws[1] * 100):02}"}
        try:
            self.desk.lever("POST", f"calls/{token}/{act.verb}", **body)
        except requests.HTTPError as exc:
            if exc.response.status_code != 409:  # the call has ended
                raise

    def place(self) -> None:
        """Call in; somebody answers."""
        self.count += 1
        ids = self.desk.lever(
            "POST", "calls", **{"from": f"+1312{self.count:07}", "to": "+18005550100"}
        )
        self.placed.append(ids["call_control_id"])
        self.sessions.add(ids["call_session_id"])

    def hang_up(self) -> None:
        """End what still goes on."""
        for call in self.desk.lever("GET", "calls?live=true")["calls"]:
            try:
                self.desk.lever("POST", f"calls/{call['call_control_id']}/hangup")
            except requests.HTTPError as exc:
                if exc.response.status_code != 409:
                    raise


@dataclass
class Press:
    """One press of a button; `status` is 0 as long as nobody has answered."""

    request_id: str
    kind: str
    status: int = 0
    has_joined: bool = False  # somebody else's press
    tries: int = 0


class Supervisor:
    """A person at the board."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.browser = desk.sign_in(SUPERVISOR)
        self.token = csrf_token(self.browser.get(f"{desk.web}/", timeout=10).text)
        self.presses: list[Press] = []

    def do(self, act: Act) -> None:
        """Press something that makes sense on some live call, until it is answered."""
        columns = "id, line, recording, direction"
        rows = self.desk.database.rows(
            f"SELECT {columns} FROM calls_call WHERE {LIVE} ORDER BY from_number, direction"  # noqa: S608
        )
        calls = [Call(**dict(zip(columns.split(", "), row, strict=True))) for row in rows]
        if not calls:
            return
        call = pick(calls, act.draws[0])
        kind = pick([kind for kind in KINDS if not why_not(call, kind)], act.draws[1])
        press = Press(uuid.uuid4().hex, kind)
        self.presses.append(press)
        self.press(uuid.UUID(str(call.pk)), press, fields(kind, act.draws[2]))

    def press(self, call: uuid.UUID, press: Press, typed: dict[str, str]) -> None:
        """Post a form as the board does; again if no answer comes."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            press.tries += 1
            try:
                answer = self.browser.post(
                    f"{self.desk.web}/calls/{call}/commands/{press.kind}/",
                    data=typed | {"request_id": press.request_id},
                    headers={
                        "X-CSRFToken": self.token,
                        "HX-Request": "true",
                        "HX-Current-URL": f"{self.desk.web}/",
                    },
                    timeout=5,
                )
            except requests.RequestException:
                time.sleep(AGAIN_S)
                continue
            press.status = answer.status_code
            press.has_joined = "asked already" in answer.headers.get("HX-Trigger", "")
            if press.status < 500:
                return
            time.sleep(AGAIN_S)


def fields(kind: str, draw: float) -> dict[str, str]:
    """Return what is typed into the form of a command."""
    if kind == Kind.RECORD_START:
        return {
            "format": pick(("wav", "mp3"), draw),
            "channels": "dual",
            "transcription": "true",
            "transcription_language": "en-US",
        }
    if kind == Kind.SPEAK:
        return {"payload": pick(LINES, draw), "voice": "female", "language": "en-US"}
    if kind == Kind.RECORD_PAUSE:
        return {"why": pick(REASONS, draw)[0]}
    return {"media_name": "hold-music"} if kind == Kind.PLAYBACK_START else {}
