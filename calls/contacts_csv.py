"""Contacts from and to a file: number, name and note, one line each.

bytes --read--> rows, and the faults by line --preview, yes--> contacts.put
"""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from django.core.files.base import File

from calls import contacts
from calls.models import Contact

MOST_BYTES = 5 * 1024 * 1024
MOST_ROWS = 50_000
MOST_FAULTS = 100  # shown; the others are counted
LONGEST_LINE = 2_000  # characters in one field
LONGEST_NAME, LONGEST_NOTE = 80, 300  # as the columns are
COLUMNS = ("number", "name", "note")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


class Unreadable(Exception):
    """The file as a whole cannot be read; the text says why."""


@dataclass(slots=True)
class Reading:
    """What a file holds."""

    rows: list[tuple[str, str, str]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    more_faults: int = 0

    def fault(self, line: int, text: str) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(f"Line {line}: {text}")
        else:
            self.more_faults += 1


def load(file: "File[bytes]") -> str:
    """Return the text of an uploaded file, counting while it is read. Raises Unreadable."""
    parts, size = [], 0
    for part in file.chunks():
        size += len(part)
        if size > MOST_BYTES:
            raise Unreadable(f"The file is larger than the limit of {MOST_BYTES >> 20} MiB.")
        parts.append(part)
    try:
        text = b"".join(parts).decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        raise Unreadable(
            f"The file is not UTF-8 text (byte {exc.start}); save it as CSV UTF-8."
        ) from exc
    if "\0" in text:
        raise Unreadable("The file is no text: it holds a NUL character.")
    return text


def read(text: str) -> Reading:
    """Return the contacts in a text, and what is wrong by line. Raises Unreadable."""
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    try:
        places = _places(next(lines, []))
        return _read(lines, places)
    except csv.Error as exc:
        raise Unreadable(f"Line {lines.line_num} is no CSV: {exc}.") from exc


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _places(header: list[str]) -> dict[str, int]:
    named = {name.strip().lower(): place for place, name in enumerate(header)}
    missing = [name for name in COLUMNS[:2] if name not in named]
    if missing:
        found = ", ".join(name[:20] for name in header[:6]) or "nothing"
        raise Unreadable(
            f"The first line must name the columns number and name (note is optional);"
            f" {' and '.join(missing)} is missing. It holds: {found}."
        )
    return {name: named[name] for name in COLUMNS if name in named}


def _read(lines: Iterable[list[str]], places: dict[str, int]) -> Reading:
    reading, first_at = Reading(), dict[str, int]()
    for line, cells in _numbered(lines):
        row = _row(cells, places, line, reading)
        if row is None:
            continue
        if row[0] in first_at:
            reading.fault(line, f"{row[0]} is on line {first_at[row[0]]} already.")
            continue
        if len(reading.rows) >= MOST_ROWS:
            raise Unreadable(f"The file has more than {MOST_ROWS:,} contacts, the limit.")
        first_at[row[0]] = line
        reading.rows.append(row)
    return reading


def _numbered(lines: Iterable[list[str]]) -> Iterator[tuple[int, list[str]]]:
    for cells in lines:
        line: int = lines.line_num  # type: ignore[attr-defined]  # of csv's reader
        if any(cell.strip() for cell in cells):
            yield line, cells


def _row(
    cells: list[str], places: dict[str, int], line: int, reading: Reading
) -> tuple[str, str, str] | None:
    """Return one contact, or write down what is wrong with it."""
    got = {
        name: cells[place].strip() if place < len(cells) else "" for name, place in places.items()
    }
    try:
        number = contacts.normal(got["number"].removeprefix("'"))
    except contacts.NotANumber as exc:
        reading.fault(line, str(exc))
        return None
    name, note = _text(got["name"]), _text(got.get("note", ""))
    if not name:
        reading.fault(line, f"{number} has no name.")
        return None
    for what, value, limit in (("name", name, LONGEST_NAME), ("note", note, LONGEST_NOTE)):
        if len(value) > limit:
            reading.fault(
                line, f"the {what} of {number} has {len(value)} characters, the limit is {limit}."
            )
            return None
    return number, name, note


def _text(value: str) -> str:
    """Return a text in one line, without the mark that `write` puts before a formula."""
    flat = " ".join(value.split())
    return flat[1:] if flat.startswith("'") and flat[1:2] in FORMULA else flat


def write() -> Iterator[str]:
    """Yield the whole book, line by line; a spreadsheet runs nothing of it."""
    yield "\ufeff" + _line(COLUMNS)
    for row in Contact.objects.order_by("name", "number").values_list(*COLUMNS).iterator():
        number, name, note = row
        yield _line((number, _safe(name), _safe(note)))


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue()
