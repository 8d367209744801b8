"""Pauses whose time is up while every process of the desk lies dead: `manage.py torture --guard`.

Each round pauses four recordings and kills every process at a random moment of the last five
seconds before their deadline. Two pauses are forgotten, one caller hangs up in the dark, and one
pause was resumed by a person before. When all are back, the books of the simulator are read.
"""

import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any

import requests

from calls.models import Ending, Kind
from dashboard.bench.figures import percentile, table
from dashboard.bench.stage import Broken, Stage
from dashboard.torture.fleet import NAMES, Fleet
from dashboard.torture.hands import Caller, Press, Supervisor, fields

GUARD_S = 8
LAST_S = 5.0  # before the deadline, in which everything is killed
RESTS_S = (0.3, 2.0)  # until a killed process is started again
ROLES = ("forgotten", "forgotten", "hung up", "resumed")
ENDINGS = {"forgotten": Ending.GUARD, "hung up": Ending.CALL, "resumed": Ending.PERSON}
SOON_S = 3.0  # after everything is back
LATE_S = 2.0  # then it has to be said
PATIENCE_S = 30.0
FIRST = 10  # problems that are named


@dataclass(frozen=True)
class Paused:
    """One paused call of a round."""

    role: str
    control_id: str
    call: str  # the id of its row, as SQLite keeps it
    deadline: float


@dataclass
class Marks:
    """What came of all rounds."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    after_back_s: list[float] = field(default_factory=list)  # of each forgotten pause
    after_deadline_s: list[float] = field(default_factory=list)
    said_late: int = 0
    problems: list[str] = field(default_factory=list)


class Rounds:
    """A fleet, a supervisor and callers."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.seed, self.marks = seed, Marks()
        self.started: dict[str, float] = {}  # each process, when last
        self.fleet = Fleet(stage, PAUSE_GUARD_S=str(GUARD_S))
        self.fleet.lever("POST", "settings", saved_delay_s=0.3, transcript_delay_s=0.5)
        self.caller, self.supervisor = Caller(self.fleet), Supervisor(self.fleet)

    def round(self) -> None:
        """Let one round happen, and read the books."""
        self.marks.rounds += 1
        chance = Random(f"{self.seed} {self.marks.rounds}")  # noqa: S311  (a schedule, no secret)
        paused = self.pause()
        deadline = min(each.deadline for each in paused)
        self.press(next(each.call for each in paused if each.role == "resumed"), "record_resume")
        hung_up = next(each for each in paused if each.role == "hung up")
        dark = deadline - chance.uniform(0.3, LAST_S - 1)
        deeds: list[tuple[float, Callable[[], None]]] = [(dark, partial(self.hang_up, hung_up))]
        for name in NAMES:
            at = deadline - chance.uniform(0, LAST_S)
            deeds += [
                (at, partial(self.kill, name)),
                (at + chance.uniform(*RESTS_S), partial(self.start, name)),
            ]
        for at, deed in sorted(deeds, key=lambda each: each[0]):
            time.sleep(max(0.0, at - time.time()))
            deed()  # all in this thread: on Linux a process ends with the one that started it
        back = self.wait_until_back()
        for each in paused:
            self.judge(each, back)
        self.caller.hang_up()

    def pause(self) -> list[Paused]:
        """Place the calls, record them, and pause all at about the same moment."""
        self.caller.placed = []
        for _ in ROLES:
            self.caller.place()
        control_ids = list(self.caller.placed)
        rows = [self.wait_for_call(control_id) for control_id in control_ids]
        for call in rows:
            self.press(call, Kind.RECORD_START)
        for call in rows:
            self.cell("recording", "calls_call", f"id='{call}' AND recording='on'")
        for call in rows:
            self.press(call, Kind.RECORD_PAUSE)
        found = []
        for role, control_id, call in zip(ROLES, control_ids, rows, strict=True):
            deadline = self.cell("deadline", "calls_guard", f"call_id='{call}'")
            found.append(Paused(role, control_id, call, _seconds(deadline)))
        return found

    def wait_for_call(self, control_id: str) -> str:
        """Return the id of a call's row, once it is live."""
        return str(
            self.cell("id", "calls_call", f"call_control_id='{control_id}' AND line='bridged'")
        )

    def cell(self, column: str, table: str, where: str) -> object:
        """Return a column of the first row that there is, once there is one. Raises Broken."""
        found: list[object] = []
        sql = f"SELECT {column} FROM {table} WHERE {where}"  # noqa: S608  (ids that we know)

        def is_there() -> bool:
            found[:] = [cell for row in self.fleet.database.rows(sql) for cell in row]
            return bool(found)

        self.fleet.stage.wait(f"{table} where {where}", is_there, "web", within_s=PATIENCE_S)
        return found[0]

    def press(self, call: str, kind: str) -> None:
        """Press a button of the desk. Raises Broken if it is not taken."""
        press = Press(uuid.uuid4().hex, kind)
        self.supervisor.press(uuid.UUID(call), press, fields(kind, 0.0))
        if press.status != 200:
            raise Broken(f"{kind} was answered with {press.status}")

    def hang_up(self, paused: Paused) -> None:
        self.fleet.lever("POST", f"calls/{paused.control_id}/hangup")

    def kill(self, name: str) -> None:
        self.fleet.kill(name)
        self.marks.kills[name] += 1

    def start(self, name: str) -> None:
        self.fleet.start(name)
        self.started[name] = time.time()

    def wait_until_back(self) -> float:
        """Wait until pages are served and the pump has given a sign of life; return since when."""
        beat = "SELECT beat_at FROM calls_heartbeat WHERE name='pump'"
        since = self.started["pump"]

        def beats() -> bool:
            return _seconds(self.fleet.database.rows(beat)[0][0]) > since  # of before, until then

        self.fleet.stage.wait("the pump is back", beats, "pump")
        self.fleet.stage.wait("the web process is back", self.fleet.is_healthy, "web")
        return time.time()

    def judge(self, paused: Paused, back: float) -> None:
        """Compare what was done about a pause with what should have been."""
        name = f"round {self.marks.rounds}, {paused.role}"
        ending = ENDINGS[paused.role]
        row = (
            "SELECT ending, late_ms, late_why, calls_guard.ended_at < closed_at"  # noqa: S608
            " FROM calls_guard JOIN calls_call ON calls_call.id = call_id"
            f" WHERE call_id='{paused.call}'"
        )
        try:
            self.cell("ending", "calls_guard", f"call_id='{paused.call}' AND ending != ''")
        except Broken as exc:
            self.marks.problems.append(str(exc))
            return
        told, late_ms, late_why, is_before_the_end = self.fleet.database.rows(row)[0]
        if ending == Ending.CALL and is_before_the_end and told == Ending.RECORDING:
            ending = Ending.RECORDING  # its file was told of first
        if told != ending:
            self.marks.problems.append(f"{name}: ended {told}, not {ending}")
        rows = [
            each
            for each in self.fleet.lever("GET", "commands")["commands"]
            if (each["call_control_id"], each["action"]) == (paused.control_id, "record_resume")
        ]
        effects = [each for each in rows if each["took_effect"]]
        if paused.role == "hung up":
            self.marks.problems += [f"{name}: asked to resume a call that had ended"] * bool(rows)
            return
        if len(effects) != 1:
            self.marks.problems.append(f"{name}: resumed {len(effects)} times")
            return
        if paused.role == "resumed":
            return
        at = _seconds(effects[0]["at"])
        after_back_s, after_deadline_s = at - max(back, paused.deadline), at - paused.deadline
        self.marks.after_back_s.append(after_back_s)
        self.marks.after_deadline_s.append(after_deadline_s)
        self.marks.said_late += bool(late_why)
        if after_deadline_s < 0:
            self.marks.problems.append(f"{name}: resumed {-after_deadline_s:.2f} s too early")
        if after_back_s > SOON_S:
            self.marks.problems.append(f"{name}: resumed {after_back_s:.1f} s after all were back")
        if after_deadline_s > LATE_S + 0.5 and not (late_ms and late_why):
            self.marks.problems.append(
                f"{name}: {after_deadline_s:.1f} s late, and does not say so"
            )


def _seconds(text: object) -> float:
    """Return a moment as the clock counts, from the text of SQLite or the simulator."""
    at = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def run(rounds: int, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Let so many rounds happen; return the figures. Raises Broken."""
    with Stage() as stage:
        try:
            trial = Rounds(stage, seed)
            while trial.marks.rounds < rounds:
                trial.round()
                say(_line(trial.marks))
        except requests.RequestException as exc:
            raise Broken(f"{exc}\n{stage.last_words('simulator')}") from exc
        return figures(trial.marks, seed)


def _line(marks: Marks) -> str:
    last = ", ".join(f"{seconds:+.1f}" for seconds in marks.after_back_s[-2:])
    return (
        f"round {marks.rounds}: {marks.kills.total()} kills, resumed {last} s after all were back,"
        f" {len(marks.problems)} problems"
    )


def figures(marks: Marks, seed: int) -> dict[str, Any]:
    """Return what was done, and what came of it."""

    def spread(values: list[float]) -> dict[str, float]:
        return {
            "p50": round(percentile(values, 50), 2),
            "most": round(max(values, default=0.0), 2),
        }

    return {
        "seed": seed,
        "rounds": marks.rounds,
        "kills": dict(marks.kills),
        "forgotten": len(marks.after_back_s),
        "after_back_s": spread(marks.after_back_s),
        "after_deadline_s": spread(marks.after_deadline_s),
        "said_late": marks.said_late,
        "problems": len(marks.problems),
        "first": marks.problems[:FIRST],
    }


def lines(told: Mapping[str, Any]) -> list[str]:
    """Return the figures as text."""
    rows = [
        ("rounds", told["rounds"]),
        *((f"kill -9 {name}", count) for name, count in sorted(told["kills"].items())),
        ("forgotten pauses that the desk resumed", told["forgotten"]),
        ("of them late, and said so", told["said_late"]),
        ("problems", told["problems"]),
    ]
    after = [
        (what, f"{told[key]['p50']:+.2f}", f"{told[key]['most']:+.2f}")
        for what, key in (
            ("after all were back, or the deadline", "after_back_s"),
            ("after the deadline", "after_deadline_s"),
        )
    ]
    return [
        "",
        *table([f"seed {told['seed']}", "count"], rows),
        "",
        *table(["resumed, in seconds", "median", "most"], after),
        *told["first"],
    ]
