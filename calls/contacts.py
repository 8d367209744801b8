"""The address book: whose number it is, for every page, without a query a row.

    name_of("+12125550100") -> "Jane Doe"       numbers_of("jane") -> ["+12125550100"]

Each process keeps a copy of the book, and looks once a request (else every ten seconds) whether
it is still the last. Whoever changes a contact does it through here: the rows that show the number
are made anew.
"""

import threading
import time
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import timedelta
from functools import partial

import phonenumbers
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from calls import numbers
from calls.models import LIVE, Call, Contact, ContactBook
from calls.ring import LIVE as HUBS
from calls.ring import ring

FRESH_S = 10.0  # where no request begins; a changed row has it looked at anyway
MOST = 100_000  # contacts: a copy of them is in the memory of every process
MOST_FOUND = 50  # numbers of a name
CHUNK = 500
BOARD = timedelta(minutes=1)  # an ended row stays on the board for seconds
THE_BOOK = 1


class NotANumber(ValueError):
    """What was typed is no telephone number; the text says what is wrong."""


class _Copy:
    """The book as last read by this process."""

    last: tuple[str, Mapping[str, str]] = "", {}  # its stamp and its names, replaced together


_seen = threading.local()  # until when this thread trusts the copy


def look_again(**_: object) -> None:
    """Look at the next question whether the copy is still the last: a new request begins."""
    _seen.until = 0.0


def names() -> Mapping[str, str]:
    """Return every number that has a name, with it."""
    now = time.monotonic()
    if now >= getattr(_seen, "until", 0.0):
        _refresh()
        _seen.until = now + FRESH_S
    return _Copy.last[1]


def _refresh() -> None:
    stamp = ContactBook.objects.values_list("stamp", flat=True).filter(pk=THE_BOOK).first() or ""
    if stamp != _Copy.last[0]:
        found = Contact.objects.order_by().values_list("number", "name") if stamp else ()
        _Copy.last = stamp, dict(found)


def name_of(number: str) -> str:
    """Return the name of a number, or nothing."""
    return names().get(number, "") if number.startswith("+") else ""


def known_as(number: str) -> str:
    """Return whose number it is, as the contacts know; else the number, as people write it."""
    return name_of(number) or numbers.written(number)


def numbers_of(text: str) -> list[str]:
    """Return the numbers of the contacts in whose names all these words are found."""
    words = text.casefold().split()
    if not words:
        return []
    known = names().items()
    found = (number for number, name in known if all(it in name.casefold() for it in words))
    return [number for number, _ in zip(found, range(MOST_FOUND), strict=False)]


def normal(text: str) -> str:
    """Return a number as E.164 writes it. Raises NotANumber."""
    typed = text.strip()
    if not typed:
        raise NotANumber("There is no number.")
    if typed.startswith("00"):
        typed = f"+{typed[2:]}"
    if not typed.startswith("+"):
        raise NotANumber(f"{text[:40]!r} has no country code; write it like +1 212 555 0100.")
    try:
        number = phonenumbers.parse(typed)
    except phonenumbers.NumberParseException as exc:
        raise NotANumber(f"{text[:40]!r} is no telephone number.") from exc
    if not phonenumbers.is_possible_number(number) or number.extension:
        raise NotANumber(f"{text[:40]!r} is no telephone number: its length is wrong.")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def put(rows: Iterable[tuple[str, str, str]]) -> int:
    """Write down names and notes, over what was there; return how many changed or are new."""
    told = {number: (name, note) for number, name, note in rows}
    with transaction.atomic():
        known = _known(told)
        changed = [
            Contact(number=number, name=name, note=note, changed_at=timezone.now())
            for number, (name, note) in told.items()
            if known.get(number) != (name, note)
        ]
        Contact.objects.bulk_create(
            changed,
            batch_size=CHUNK,
            update_conflicts=True,
            unique_fields=["number"],
            update_fields=["name", "note", "changed_at"],
        )
        if changed:
            tell([contact.number for contact in changed])
    return len(changed)


def _known(numbers: Collection[str]) -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = {}
    for some in _some(list(numbers)):
        rows = Contact.objects.filter(number__in=some).order_by()
        found |= {row[0]: (row[1], row[2]) for row in rows.values_list("number", "name", "note")}
    return found


def new_and_changed(rows: Sequence[tuple[str, str, str]]) -> tuple[int, int]:
    """Return how many of these rows are new, and how many say something else than the book."""
    known = _known([number for number, _, _ in rows])
    new = sum(number not in known for number, _, _ in rows)
    differ = (known.get(number) != (name, note) for number, name, note in rows)
    return new, sum(differ) - new


def delete(contact: Contact) -> None:
    """Let a number have no name."""
    with transaction.atomic():
        contact.delete()
        tell([contact.number])


def tell(numbers: Sequence[str]) -> None:
    """Let everybody know that these numbers have other names. Call it in their transaction."""
    stamp = uuid.uuid4().hex
    ContactBook.objects.update_or_create(pk=THE_BOOK, defaults={"stamp": stamp})
    shown = Call.objects.filter(Q(line__in=LIVE) | Q(closed_at__gt=timezone.now() - BOARD))
    for some in _some(numbers):
        of_these = shown.filter(Q(from_number__in=some) | Q(to_number__in=some))
        # held in the order in which everybody holds calls
        for call in of_these.select_for_update().order_by("call_leg_id"):
            Call.objects.filter(pk=call.pk).update(version=F("version") + 1)
    _seen.until = 0.0
    transaction.on_commit(partial(ring, HUBS))


def _some(numbers: Sequence[str]) -> Iterable[list[str]]:
    for at in range(0, len(numbers), CHUNK):
        yield list(numbers[at : at + CHUNK])
