"""One run: rounds on one desk, whose books are compared while calls live, when they are over, and
when their recordings are there. A download may take its time while the next round begins.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

import requests

from dashboard.bench.desk import Desk
from dashboard.bench.figures import table
from dashboard.bench.stage import Broken, Stage
from dashboard.torture import compare
from dashboard.torture.books import Book, Clerk, Truth
from dashboard.torture.compare import Check, Difference
from dashboard.torture.faults import Saboteur
from dashboard.torture.hands import Caller, Press, Supervisor
from dashboard.torture.plan import CALLER, KILLED, SABOTEUR, SUPERVISORS, Act, plan

AGREED_WITHIN_S = 60.0
STORED_WITHIN_S = 200.0  # a download whose process was killed is begun again after two minutes
LOOK_EVERY_S = 0.5
QUICK = {"saved_delay_s": 0.3, "transcript_delay_s": 0.5}
FIRST = 10  # differences that are named


class Hand(Protocol):
    """Somebody who acts."""

    def do(self, act: Act) -> None:
        """Do one thing."""


@dataclass(frozen=True)
class Round:
    """Whose books are compared."""

    sessions: set[str]
    presses: list[Press]


class Trial:
    """A desk, those who act on it, and what has come of it so far."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.seed = seed
        self.desk = Desk(stage, is_quiet=True)
        self.desk.lever("POST", "settings", **QUICK)
        self.caller, self.saboteur = Caller(self.desk), Saboteur(self.desk)
        self.supervisors = [Supervisor(self.desk) for _ in SUPERVISORS]
        self.clerk = Clerk(self.desk)
        self.hands: dict[str, Hand] = {
            CALLER: self.caller,
            SABOTEUR: self.saboteur,
            **dict(zip(SUPERVISORS, self.supervisors, strict=True)),
        }
        self.rounds, self.agreed_s = 0, 0.0
        self.open: list[Round] = []  # rounds whose recordings are not all there
        self.counts: Counter[str] = Counter()
        self.differences: list[Difference] = []

    def round(self) -> None:
        """Let one round happen, and compare."""
        self.rounds += 1
        now = Round(set(), [])
        self.caller.placed, self.caller.sessions = [], now.sessions
        for supervisor in self.supervisors:
            supervisor.presses = now.presses
        self.act(plan(self.seed, self.rounds))
        self.saboteur.rest()
        self.settle(now, compare.WHILE_LIVE, AGREED_WITHIN_S)
        self.caller.hang_up()
        self.settle(now, compare.WHILE_LIVE, AGREED_WITHIN_S)
        self.open = [earlier for earlier in self.open if not self.is_over(earlier)]
        self.open.append(now)

    def finish(self) -> None:
        """Wait for the last recordings, and compare all that has not been compared."""
        patience_s = 0.0 if self.differences else STORED_WITHIN_S
        for earlier in self.open:
            self.count(*self.settle(earlier, compare.WHEN_OVER, patience_s))
        self.open = []
        if not self.differences:  # else downloads may still be under way
            self.settle(Round(set(), []), [compare.drafts], AGREED_WITHIN_S)

    def is_over(self, earlier: Round) -> bool:
        """Say whether the books of an earlier round agree by now, and add it up if they do."""
        truth, book = self.books(earlier)
        if compare.differences(compare.WHEN_OVER, truth, book):
            return False
        self.count(truth, book)
        return True

    def act(self, acts: Sequence[Act]) -> None:
        """Give everybody their acts; each waits for the moment of each."""
        started, stopping = time.monotonic(), threading.Event()

        def play(name: str) -> None:
            for act in acts:
                if act.hand == name:
                    if stopping.wait(max(0.0, started + act.at_s - time.monotonic())):
                        return
                    self.hands[name].do(act)

        with ThreadPoolExecutor(len(self.hands)) as threads:
            try:
                for done in [threads.submit(play, name) for name in self.hands]:
                    done.result()
            finally:
                stopping.set()

    def settle(self, of: Round, checks: Sequence[Check], within_s: float) -> tuple[Truth, Book]:
        """Look until the books agree, or for as long as is fair; return them."""
        started = time.monotonic()
        while True:
            self.desk.check()
            truth, book = self.books(of)
            found = compare.differences(checks, truth, book)
            took_s = time.monotonic() - started
            if not found or took_s > within_s:
                break
            time.sleep(LOOK_EVERY_S)
        if checks is compare.WHILE_LIVE:
            self.agreed_s = max(self.agreed_s, took_s)
        self.differences += [each for each in found if each not in self.differences]
        return truth, book

    def books(self, of: Round) -> tuple[Truth, Book]:
        """Read both sides, Telnyx first."""
        truth = self.clerk.truth(of.sessions)
        legs = [call["call_leg_id"] for call in truth.calls]
        return truth, self.clerk.book(legs, of.presses)

    def count(self, truth: Truth, book: Book) -> None:
        """Add up what this round was made of."""
        sent = Counter(row["command_id"] for row in truth.commands)
        self.counts.update(
            {
                "calls": len(truth.calls),
                "webhooks": len(book.events),
                "deliveries": len(truth.webhooks),
                "presses": len(book.presses),
                "answered": sum(press.status == 200 for press in book.presses),
                "joined": sum(press.has_joined for press in book.presses),
                "pressed again": sum(press.tries > 1 for press in book.presses),
                "commands": len(book.commands),
                "sent again": sum(count > 1 for count in sent.values()),
                "recordings": sum(len(call["recordings"]) for call in truth.calls),
                "stored": sum(row["state"] == "stored" for row in book.recordings),
                "downloads": sum(row["attempts"] for row in book.recordings),
            }
        )
        self.counts.update(f"command {row['state']}" for row in book.commands)

    def figures(self) -> dict[str, Any]:
        """Return what was done to the desk, and what came of it."""
        found = Counter(difference.kind for difference in self.differences)
        return {
            "seed": self.seed,
            "rounds": self.rounds,
            "kills": {name: self.saboteur.kills[name] for name in KILLED},
            "freezes": dict(self.saboteur.freezes),
            "faults": dict(sorted(self.saboteur.scripts.items())),
            "counts": dict(self.counts),
            "agreed_s": round(self.agreed_s, 1),
            "differences": {kind: found[kind] for kind in compare.KINDS},
            "first": [f"{kind}: {text}" for kind, text in self.differences[:FIRST]],
        }


def run(seconds: float, seed: int, say: Callable[[str], None]) -> dict[str, Any]:
    """Torture a desk for so long, in whole rounds; return the figures. Raises Broken."""
    with Stage() as stage:
        try:
            trial = Trial(stage, seed)
            started = time.monotonic()
            while not trial.differences and time.monotonic() - started < seconds:
                trial.round()
                say(_line(trial))
            trial.finish()
        except requests.RequestException as exc:  # of ours to the simulator, which nobody harms
            raise Broken(f"{exc}\n{stage.last_words('desk')}") from exc
        return trial.figures()


def _line(trial: Trial) -> str:
    return (
        f"round {trial.rounds}: {trial.saboteur.kills.total()} kills,"
        f" books agreed within {trial.agreed_s:.1f} s, {len(trial.open)} to look at again,"
        f" {len(trial.differences)} differences"
    )


def lines(figures: Mapping[str, Any]) -> list[str]:
    """Return the figures as text."""
    counts = figures["counts"]
    states = {
        name.removeprefix("command "): count
        for name, count in sorted(counts.items())
        if name.startswith("command ")
    }
    broken = [
        *_rows("kill -9", figures["kills"]),
        *_rows("frozen", figures["freezes"]),
        *figures["faults"].items(),
    ]
    through = [(name, count) for name, count in counts.items() if not name.startswith("command ")]
    return [
        "",
        *table(["broken", "times"], broken),
        "",
        *table(["went through", "count"], [*through, *_rows("commands", states)]),
        "",
        f"seed {figures['seed']}, {figures['rounds']} rounds;"
        f" calls, commands and webhooks agreed within {figures['agreed_s']} s",
        *table(["differences", "count"], [*figures["differences"].items()]),
        *figures["first"],
    ]


def _rows(what: str, counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(f"{what} {name}", count) for name, count in counts.items()]
