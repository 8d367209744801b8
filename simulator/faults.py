"""A script of faults: which requests, deliveries and downloads go wrong, how, and how often.

    {"routes":     [{"action": "record_pause", "do": "apply_then_drop", "times": 2}],
     "deliveries": [{"event": "call.hangup", "do": "duplicate", "copies": 3}],
     "downloads":  [{"do": "truncate"}]}

The first rule that matches and is not used up counts. Without `times` a rule holds until cleared.
"""

import threading
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from typing import Any

from simulator.answers import Json

COMMON = {"do", "times", "seconds"}
ALLOWED: dict[str, dict[str, set[str]]] = {
    "routes": {
        "status": {"status", "body", "headers"},
        "delay": set(),  # answered late, applied at once the wait is over
        "drop": set(),  # not applied, no answer
        "apply_then_drop": set(),
        "apply_then_status": {"status", "body", "headers"},
        "apply_then_delay": set(),  # applied at once, answered late
        "hang": set(),  # not applied, and no answer for `seconds`
    },
    "deliveries": {
        "drop": set(),  # a failed delivery in Telnyx's records
        "lose": set(),  # no trace of it in Telnyx's records
        "duplicate": {"copies"},
        "delay": set(),
        "reorder": set(),  # after the next event of its leg, or after `seconds`
        "bad_signature": set(),
    },
    "downloads": {
        "truncate": set(),
        "html": set(),
        "expire": set(),
        "status": {"status", "body", "headers"},
        "slow": set(),
        "wrong_type": set(),
        "no_length": set(),
    },
}
SELECTORS = {
    "routes": {"action", "call_control_id"},
    "deliveries": {"event", "call_leg_id"},
    "downloads": {"recording_id"},
}
NUMBERS = {"times": (1, 10**6), "seconds": (0, 3_600), "status": (100, 599), "copies": (2, 100)}


class BadScript(ValueError):
    """A fault script has a key or value that cannot be used."""


class Rule:
    """One fault, with the number of times it is still to happen (None: always)."""

    def __init__(self, text: Json) -> None:
        self.text = text
        self.do: str = text["do"]
        self.left: int | None = text.get("times")
        self.used = 0

    def get(self, key: str, default: Any = None) -> Any:
        """Return one of the rule's values."""
        return self.text.get(key, default)

    def picks(self, **facts: str) -> bool:
        """Return whether the rule is about such a request, delivery or download."""
        return self.left != 0 and all(
            fnmatchcase(facts.get(key, ""), str(self.text[key]))
            or facts.get(key) == self.text[key]
            for key in facts.keys() & self.text.keys()
        )


class Faults:
    """The script in force."""

    def __init__(self) -> None:
        self._rules: dict[str, list[Rule]] = {kind: [] for kind in ALLOWED}
        self._lock = threading.Lock()

    def add(self, script: Json) -> None:
        """Add rules. Raises BadScript, naming what is wrong, before anything is added."""
        _only(script, set(ALLOWED), "the script", "sections")
        for kind, rules in script.items():
            if not isinstance(rules, list):
                raise BadScript(f"{kind} is {rules!r}, must be a list")
            for rule in rules:
                _check(kind, rule)
        with self._lock:
            for kind, rules in script.items():
                self._rules[kind] += [Rule(rule) for rule in rules]

    def clear(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._rules = {kind: [] for kind in ALLOWED}

    def as_json(self) -> Json:
        """Return the script in force, with how often each rule was used."""
        return {
            kind: [rule.text | {"used": rule.used} for rule in rules]
            for kind, rules in self._rules.items()
        }

    def route(self, names: Iterable[str], call_control_id: str) -> Rule | None:
        """Return the fault for a request, known by its action or by its method and path."""
        return self._take(
            "routes",
            lambda rule: any(
                rule.picks(action=name, call_control_id=call_control_id) for name in names
            ),
        )

    def delivery(self, event: str, call_leg_id: str) -> Rule | None:
        """Return the fault for the delivery of an event."""
        return self._take(
            "deliveries", lambda rule: rule.picks(event=event, call_leg_id=call_leg_id)
        )

    def download(self, recording_id: str) -> Rule | None:
        """Return the fault for the download of a recording."""
        return self._take("downloads", lambda rule: rule.picks(recording_id=recording_id))

    def _take(self, kind: str, picks: Callable[[Rule], bool]) -> Rule | None:
        if not self._rules[kind]:
            return None
        with self._lock:
            for rule in self._rules[kind]:
                if picks(rule):
                    rule.used += 1
                    if rule.left is not None:
                        rule.left -= 1
                    return rule
        return None


def _check(kind: str, rule: object) -> None:
    if not isinstance(rule, dict):
        raise BadScript(f"a rule of {kind} is {rule!r}, must be an object")
    do = rule.get("do")
    if do not in ALLOWED[kind]:
        raise BadScript(f"do is {do!r} in {kind}, must be one of {', '.join(ALLOWED[kind])}")
    _only(rule, COMMON | SELECTORS[kind] | ALLOWED[kind][do], f"{kind}, do {do}", "keys")
    for key, (low, high) in NUMBERS.items():
        value = rule.get(key, low)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not low <= value <= high
        ):
            raise BadScript(f"{key} is {value!r}, must be a number from {low} to {high}")


def _only(given: object, allowed: set[str], where: str, what: str) -> None:
    if not isinstance(given, dict):
        raise BadScript(f"{where} is {given!r}, must be an object")
    unknown = sorted(set(given) - allowed)
    if unknown:
        raise BadScript(
            f"unknown {what} in {where}: {', '.join(unknown)}; known: {', '.join(sorted(allowed))}"
        )
