"""Saved phrases: made, changed, put in order, deleted; and a text filled for one call."""

from collections.abc import Mapping
from datetime import datetime

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from access import audit
from calls.models import Phrase
from calls.sounds import variables
from calls.sounds.parties import Party, Role, spoken
from calls.telnyx import ssml

Person = AbstractBaseUser | AnonymousUser

MOST = 500  # our choice: they all stand in the dialog
SOMETHING = "x"  # stands for a text that could not be filled, so that it is blamed once
LONGEST = 3000  # Telnyx's limit; whether it counts characters or bytes is not documented


class NameTaken(Exception):
    """Another phrase has this name."""


def save(phrase: Phrase, *, by: Person) -> Phrase:
    """Keep a new phrase, at the end of the list, or a changed one. Raises NameTaken."""
    is_new = phrase._state.adding
    try:
        with transaction.atomic():
            if is_new:
                last = Phrase.objects.aggregate(last=Max("place"))["last"]
                phrase.place = 0 if last is None else last + 1
                phrase.added_by_id = by.pk
            phrase.save(force_insert=is_new)
            verb = "add phrase" if is_new else "change phrase"
            audit.record(by, verb, phrase.subject, name=phrase.name, text=phrase.text)
    except IntegrityError as exc:
        raise NameTaken from exc
    return phrase


def delete(phrase: Phrase, *, by: Person) -> None:
    """Delete a phrase; the trail keeps its text."""
    with transaction.atomic():
        audit.record(by, "delete phrase", phrase.subject, name=phrase.name, text=phrase.text)
        phrase.delete()


def move(phrase: Phrase, step: int, *, by: Person) -> None:
    """Move a phrase up (-1) or down (1) by one place; at either end it stays."""
    with transaction.atomic():
        rows = list(Phrase.objects.select_for_update())
        at = next((place for place, row in enumerate(rows) if row.pk == phrase.pk), None)
        if at is None or not 0 <= at + step < len(rows):
            return
        rows[at], rows[at + step] = rows[at + step], rows[at]
        for place, row in enumerate(rows):
            row.place = place
        Phrase.objects.bulk_update(rows, ["place"])
        audit.record(by, "move phrase", phrase.subject, place=at + step + 1)


def fault(text: str, kind: str, voice: str = "") -> str:
    """Say what keeps a text from being a phrase, or ""."""
    try:
        sample = variables.sample(text)
    except variables.Wrong as exc:
        return str(exc)
    return ssml.fault(sample, voice=voice) if kind == Phrase.Kind.SSML else ""


def filled(text: str, kind: str, values: Mapping[str, str]) -> str:
    """Return what is said into a call. Raises variables.Wrong."""
    if kind == Phrase.Kind.SSML:
        return variables.fill(text, values, escape=ssml.escape)
    return variables.fill(text, values)


def values(parties: list[Party], here: Party, by: Person, now: datetime) -> dict[str, str]:
    """Return what the variables stand for on a leg, for the person who sends."""
    local = timezone.localtime(now)
    customer = next((party for party in parties if party.role == Role.CUSTOMER), here)
    agents = [party for party in parties if party.role == Role.AGENT]
    agent = here if here.role == Role.AGENT else agents[0] if len(agents) == 1 else None
    return {
        "caller_number": spoken(customer.number),
        "caller_name": customer.name,
        "our_number": spoken(customer.our_number),
        "agent": (agent.name or spoken(agent.number)) if agent else "",
        "me": (by.get_full_name() or by.get_username()) if isinstance(by, User) else "",
        "time": f"{local:%H:%M}",
        "date": f"{local.day} {local:%B}",
    }
