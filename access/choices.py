"""What a person chose for themselves, by name: it follows them to every browser."""

from typing import TypeAlias

from django.contrib.auth.models import AnonymousUser, User

from access.models import Choice

JSON: TypeAlias = bool | int | float | str | list["JSON"] | dict[str, "JSON"] | None


def chosen(user: User | AnonymousUser, name: str) -> JSON:
    """Return what a person chose; None if nothing."""
    if not isinstance(user, User):
        return None
    values = Choice.objects.filter(user=user, name=name).values_list("value", flat=True)
    found: JSON = values.first()
    return found


def choose(user: User | AnonymousUser, name: str, value: JSON) -> None:
    """Keep a choice in place of the one before."""
    if isinstance(user, User):
        Choice.objects.update_or_create(user=user, name=name, defaults={"value": value})
