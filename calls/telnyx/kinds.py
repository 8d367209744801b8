"""The kinds of value that Telnyx's parameters take: each reads a form's or a program's input.

kind.read(raw) -> what goes to Telnyx, or Refused("is 20000 s, the limit is 14400 s")
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from calls.telnyx.checks import address, address_and_digits, shown
from calls.telnyx.values import JSON, Unreadable, decode

CONTROL = re.compile("[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # what no text may hold
LINE_BREAK = re.compile("[\t\n\u2028\u2029]")
YES = {"true", "yes", "on", "1"}
NO = {"false", "no", "off", "0"}


class Refused(ValueError):
    """What is wrong with a value: a sentence without its subject, the field's name."""

    def __init__(self, message: str, within: str = "") -> None:
        super().__init__(message)
        self.within = within  # the place inside a compound value, as ".voice_speed"


class Kind(Protocol):
    """What a parameter's value must be."""

    def read(self, raw: object) -> JSON:
        """Return the value for Telnyx. Raises Refused."""


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a command: what it must be, and how a form presents it."""

    name: str
    kind: Kind
    label: str
    help: str = ""
    default: str = ""  # what Telnyx does when it is left out
    required: bool = False


Check = Callable[[str], str]  # returns what is wrong with a text, or ""


@dataclass(frozen=True)
class Text:
    """Characters: on one line, unless `lines`."""

    longest: int = 255
    lines: bool = False
    check: Check | None = None

    def read(self, raw: object) -> JSON:
        """Read a text; a form's CRLF counts as one character, as Telnyx and browsers count."""
        if not isinstance(raw, str):
            raise Refused(f"is {shown(raw)}, not a text")
        value = raw.replace("\r\n", "\n") if self.lines else raw.strip()
        if len(value) > self.longest:
            raise Refused(f"has {len(value)} characters, the limit is {self.longest}")
        if CONTROL.search(value) or (not self.lines and LINE_BREAK.search(value)):
            raise Refused("has a character that cannot be printed")
        fault = self.check(value) if self.check else ""
        if fault:
            raise Refused(fault)
        return value


@dataclass(frozen=True)
class Choice:
    """One of a few words that Telnyx will not add to."""

    options: tuple[str, ...]

    def read(self, raw: object) -> JSON:
        """Read one of the words."""
        if raw not in self.options or not isinstance(raw, str):
            listed = self.options[0] if len(self.options) == 1 else f"one of {_list(self.options)}"
            raise Refused(f"is {shown(raw)}, it must be {listed}")
        return raw


@dataclass(frozen=True)
class OpenChoice(Text):
    """A word of a list that Telnyx adds to: ours are suggestions only."""

    suggestions: tuple[str, ...] = ()


@dataclass(frozen=True)
class YesNo:
    """True or false; unset is a third answer, Telnyx's own."""

    def read(self, raw: object) -> JSON:
        """Read a boolean, or a form's word for one."""
        if isinstance(raw, bool):
            return raw
        word = str(raw).strip().lower()
        if word not in YES | NO:
            raise Refused(f"is {shown(raw)}, it must be true or false")
        return word in YES


@dataclass(frozen=True)
class Whole:
    """A whole number between two bounds."""

    least: int
    most: int
    unit: str = ""

    def read(self, raw: object) -> JSON:
        """Read an integer, or its plain digits."""
        if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,18}", raw.strip()):
            raw = int(raw)
        if not isinstance(raw, int) or isinstance(raw, bool):
            raise Refused(f"is {shown(raw)}, not a whole number")
        _within(raw, self.least, self.most, self.unit)
        return raw


@dataclass(frozen=True)
class Number:
    """A number between two bounds."""

    least: float
    most: float
    unit: str = ""

    def read(self, raw: object) -> JSON:
        """Read a number, or its decimal digits."""
        if isinstance(raw, str) and re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", raw.strip()):
            raw = float(raw)
        if not isinstance(raw, int | float) or isinstance(raw, bool):
            raise Refused(f"is {shown(raw)}, not a number")
        _within(raw, self.least, self.most, self.unit)
        return raw


@dataclass(frozen=True)
class Loop:
    """How often a sound is played: 1 to 100 times, or "infinity"."""

    times: Whole = Whole(1, 100)

    def read(self, raw: object) -> JSON:
        """Read a count, or the word."""
        if raw == "infinity":
            return "infinity"
        try:
            return self.times.read(raw)
        except Refused as exc:
            raise Refused(f'{exc}; or write "infinity"') from exc


@dataclass(frozen=True)
class Destination:
    """Whom to call: a number or SIP address, digits to dial after a comma, or a list of them."""

    most: int = 20  # our choice: Telnyx names no limit

    def read(self, raw: object) -> JSON:
        """Read one destination, or a list."""
        if isinstance(raw, list):
            if not 0 < len(raw) <= self.most:
                raise Refused(f"has {len(raw)} destinations, the limit is {self.most}")
            return [Text(check=address).read(one) for one in raw]
        return Text(check=address_and_digits).read(raw)


@dataclass(frozen=True)
class Items:
    """A JSON list, every entry of one kind."""

    of: Kind
    most: int

    def read(self, raw: object) -> list[JSON]:
        """Read a list, or its JSON text."""
        rows = _json(raw)
        if not isinstance(rows, list):
            raise Refused("is not a list")
        if len(rows) > self.most:
            raise Refused(f"has {len(rows)} entries, the limit is {self.most}")
        return [inside(f"[{place}]", self.of, row) for place, row in enumerate(rows)]


@dataclass(frozen=True)
class Table:
    """A JSON object with named fields."""

    fields: Mapping[str, Kind]
    required: tuple[str, ...] = ()

    def read(self, raw: object) -> JSON:
        """Read an object, or its JSON text; a name that is not documented is refused."""
        values = _object(raw)
        for name in self.required:
            if values.get(name) in (None, ""):
                raise Refused("is missing", f".{name}")
        for name in values:
            if name not in self.fields:
                raise Refused(f"is unknown, there is {_list(self.fields)}", f".{shown(name)}")
        given = {name: value for name, value in values.items() if value is not None}
        return {name: inside(f".{name}", self.fields[name], it) for name, it in given.items()}


@dataclass(frozen=True)
class Tagged:
    """A JSON object whose fields depend on the word in one of them; Telnyx adds words."""

    tag: str
    shapes: Mapping[str, Table]
    plain: "Mapped" = field(default_factory=lambda: Mapped(Plain()))

    def read(self, raw: object) -> JSON:
        """Read an object; under an unknown word, any plain values."""
        values = _object(raw)
        word = values.get(self.tag)
        if not isinstance(word, str) or not word:
            raise Refused("is missing", f".{self.tag}")
        return self.shapes.get(word, self.plain).read(values)


@dataclass(frozen=True)
class Mapped:
    """A JSON object from names to values of one kind."""

    of: Kind
    most: int = 50

    def read(self, raw: object) -> JSON:
        """Read an object, or its JSON text."""
        values = _object(raw)
        if len(values) > self.most:
            raise Refused(f"has {len(values)} entries, the limit is {self.most}")
        return {name: inside(f".{shown(name)}", self.of, it) for name, it in values.items()}


@dataclass(frozen=True)
class Plain:
    """A text, number or boolean: what an undocumented field may hold."""

    def read(self, raw: object) -> JSON:
        """Read anything but a list or an object."""
        if isinstance(raw, str):
            return Text(1000).read(raw)
        if raw is None or isinstance(raw, bool | int | float):
            return raw
        raise Refused("is a list or an object, expected a plain value")


@dataclass(frozen=True)
class Anything:
    """A JSON object that only Telnyx can judge."""

    longest: int = 20_000

    def read(self, raw: object) -> JSON:
        """Read an object, or its JSON text."""
        if isinstance(raw, str) and len(raw) > self.longest:
            raise Refused(f"has {len(raw)} characters, the limit is {self.longest}")
        return _object(raw)


def inside(place: str, kind: Kind, raw: object) -> JSON:
    """Read a part of a compound value; a refusal says where it sits."""
    try:
        return kind.read(raw)
    except Refused as exc:
        raise Refused(str(exc), place + exc.within) from exc


def _within(value: float, least: float, most: float, unit: str) -> None:
    tail = f" {unit}" if unit else ""
    if value > most:
        raise Refused(f"is {value}{tail}, the limit is {most}{tail}")
    if value < least:
        raise Refused(f"is {value}{tail}, the least is {least}{tail}")
    if value != value:  # NaN compares with nothing
        raise Refused("is not a number")


def _json(raw: object) -> JSON:
    try:
        text = raw if isinstance(raw, str) else json.dumps(raw)
        return decode(text.encode(errors="replace"))
    except Unreadable as exc:
        raise Refused(f"is {exc}") from exc
    except (TypeError, ValueError) as exc:
        raise Refused("holds what JSON cannot") from exc


def _object(raw: object) -> dict[str, JSON]:
    values = _json(raw)
    if not isinstance(values, dict):
        raise Refused("is not an object, as in {...}")
    return values


def _list(words: Mapping[str, object] | tuple[str, ...]) -> str:
    return ", ".join(words)
