"""How a person wants their board to look: the height of rows and the columns, kept at the desk."""

from dataclasses import dataclass
from typing import NamedTuple

from django import forms
from django.contrib.auth.models import AnonymousUser, User

from access.choices import choose, chosen

NAME = "board"
DENSITIES = {"compact": "Compact", "comfortable": "Comfortable"}
COLUMNS = {"way": "Our number", "time": "Duration", "sound": "Sound", "note": "Latest"}


class Option(NamedTuple):
    """One thing to choose."""

    name: str
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class Look:
    """What one person chose. A column that is new to the desk is shown."""

    density: str = "compact"
    hidden: frozenset[str] = frozenset()

    @property
    def classes(self) -> str:
        """Return the classes of the table."""
        return " ".join([f"is-{self.density}", *(f"no-{name}" for name in sorted(self.hidden))])

    @property
    def densities(self) -> list[Option]:
        return [Option(name, label, name == self.density) for name, label in DENSITIES.items()]

    @property
    def columns(self) -> list[Option]:
        return [Option(name, label, name not in self.hidden) for name, label in COLUMNS.items()]


class LookForm(forms.Form):
    """What is posted by the form of the board."""

    density = forms.ChoiceField(choices=list(DENSITIES.items()))
    column = forms.MultipleChoiceField(choices=list(COLUMNS.items()), required=False)

    @property
    def look(self) -> Look:
        return Look(
            self.cleaned_data["density"], frozenset(COLUMNS.keys() - self.cleaned_data["column"])
        )


def look_of(user: User | AnonymousUser) -> Look:
    """Return how a person wants it; what this version of the desk does not know is left out."""
    value = chosen(user, NAME)
    if not isinstance(value, dict):
        return Look()
    density, hidden = value.get("density"), value.get("hidden")
    return Look(
        density if isinstance(density, str) and density in DENSITIES else Look.density,
        frozenset(COLUMNS.keys() & set(map(str, hidden if isinstance(hidden, list) else []))),
    )


def keep(user: User | AnonymousUser, look: Look) -> None:
    """Remember how a person wants it."""
    choose(user, NAME, {"density": look.density, "hidden": [*sorted(look.hidden)]})
