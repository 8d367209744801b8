"""What came of the door and the textbook view taking turns, and whether it may be believed."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from dashboard.bench.figures import spread, table

OFF, ALONGSIDE = "workers off", "folding alongside"
TARGETS = {OFF: 5.0, ALONGSIDE: 3.0}
MOST_BASELINE_SHARE = 0.25  # a baseline that varies more says that the machine was busy
MOST_GENERATOR_CORES = 0.8  # beyond it, the generator is what is measured


@dataclass(frozen=True)
class Turn:
    """One server under load once."""

    per_s: float
    cpu_us: float  # of the web process, per webhook answered with 200
    database_us: float  # of the database server, the same
    p50_ms: float
    p99_ms: float
    folded_per_s: float
    generator_cores: float
    refused: int  # answers other than 200
    missing: int  # acknowledged, and not in the database


@dataclass(frozen=True)
class Round:
    """Both servers, one after the other."""

    door: Turn
    textbook: Turn
    load: float

    @property
    def ratio(self) -> float:
        """Return how many times as many the door takes."""
        return self.door.per_s / self.textbook.per_s if self.textbook.per_s else 0.0


@dataclass(frozen=True)
class Comparison:
    """All rounds on one database in one mode."""

    database: str
    mode: str
    rounds: Sequence[Round]

    @property
    def void(self) -> list[str]:
        """Return why the figures must not be used, if they must not."""
        doors = [each.door for each in self.rounds]
        books = [each.textbook for each in self.rounds]
        reasons = []
        if not all(turn.per_s for turn in doors + books):
            reasons.append("a server acknowledged nothing")
        if missing := sum(turn.missing for turn in doors + books):
            reasons.append(f"{missing} acknowledged webhooks are not in the database")
        if refused := sum(turn.refused for turn in doors + books):
            reasons.append(f"{refused} webhooks were not answered with 200")
        if (share := spread([turn.per_s for turn in books]).share) > MOST_BASELINE_SHARE:
            reasons.append(f"the textbook view varied by {share:.0%}: the machine was busy")
        if (cores := max(turn.generator_cores for turn in doors + books)) > MOST_GENERATOR_CORES:
            reasons.append(f"the generator used {cores:.2f} of a core")
        if self.mode == ALONGSIDE and not all(turn.folded_per_s for turn in doors):
            reasons.append("nothing was folded")
        return reasons

    def figures(self) -> dict[str, Any]:
        """Return everything for --json."""
        ratio = spread([each.ratio for each in self.rounds])
        return {
            "database": self.database,
            "mode": self.mode,
            "ratio": asdict(ratio),
            "target": TARGETS[self.mode],
            "void": self.void,
            "rounds": [asdict(each) | {"ratio": round(each.ratio, 2)} for each in self.rounds],
        }


COLUMNS = {
    "per_s": "accepted/s",
    "cpu_us": "web CPU us",
    "database_us": "database CPU us",
    "p50_ms": "p50 ms",
    "p99_ms": "p99 ms",
    "folded_per_s": "folded/s",
}


def lines(figures: dict[str, Any]) -> list[str]:
    """Return the figures as text: the middle of the rounds, and their extremes."""
    said = [
        "",
        "the door       granian ASGI, 1 worker, 64 connections",
        "textbook view  granian WSGI, 1 worker, 8 threads, 16 connections",
    ]
    for each in figures["comparisons"]:
        ratio = each["ratio"]
        verdict = "met" if ratio["median"] >= each["target"] else "MISSED"
        said += [
            "",
            f"{each['database']}, {each['mode']}",
            *_table(each["rounds"]),
            f"ratio {ratio['median']:.2f} ({ratio['least']:.2f} to {ratio['most']:.2f}),"
            f" target {each['target']:g}: {verdict}",
            *(f"VOID: {reason}" for reason in each["void"]),
        ]
    return said


def _table(rounds: Sequence[dict[str, Any]]) -> list[str]:
    told = [name for name in COLUMNS if any(each["door"][name] for each in rounds)]
    rows = [
        [label, *(str(spread([each[who][name] for each in rounds])) for name in told)]
        for label, who in (("the door", "door"), ("textbook view", "textbook"))
    ]
    return table(["", *(COLUMNS[name] for name in told)], rows)
