"""A form for every command, made from the one table of Telnyx's parameters.

    for_kind("speak")(request.POST) -> is_valid() -> form.params, exactly what goes to Telnyx

Several dialogs on one page: give each form its own `auto_id`, as "call-42-speak-%s".
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, ClassVar

from django import forms

from calls import numbers
from calls.models import REASONS, Kind
from calls.telnyx import kinds
from calls.telnyx.parameters import ACTIONS, Invalid, Parameter, clean
from calls.telnyx.values import JSON

# What people use; everything else stands under "More options".
MAIN: Mapping[str, tuple[str, ...]] = {
    "record_pause": ("why",),
    "record_start": ("format", "channels", "play_beep", "transcription", "transcription_language"),
    "playback_start": ("media_name", "audio_url", "target_legs", "loop"),
    "playback_stop": ("stop",),
    "speak": ("payload", "voice", "language", "target_legs"),
    "transcription_start": ("transcription_tracks", "transcription_engine"),
    "dial": ("to", "from", "timeout_secs", "record", "record_format", "record_channels"),
    "answer": ("record", "record_format", "record_channels", "transcription"),
    "hangup": ("reason",),
}

# What has a dialog of its own: nobody is to be heard by a stray choice among fifty.
ELSEWHERE: Mapping[str, tuple[str, ...]] = {
    "dial": ("supervise_call_control_id", "supervisor_role"),
}
LABELS = {"record-from-answer": "From the answer on"}

# What the desk asks for unless told otherwise.
DESK: Mapping[str, Mapping[str, str]] = {
    "record_start": {
        "format": "mp3",
        "channels": "dual",
        "transcription": "true",
        "transcription_language": "en-US",
    },
    "speak": {"voice": "AWS.Polly.Joanna", "language": "en-US"},
    "transcription_start": {"transcription_tracks": "both"},
}


WHICH = f"Choose one of: {', '.join(label for _, label in REASONS)}."


class ParameterField(forms.Field):
    """One parameter. It hands on what was typed: the table judges it, once, with its own words."""

    def __init__(self, parameter: Parameter, initial: str | None = None) -> None:
        super().__init__(
            required=False,
            label=parameter.label,
            help_text=parameter.help,
            initial=initial,
            widget=_widget(parameter),
        )
        self.parameter = parameter
        self.suggestions: Sequence[str] = _suggestions(parameter.kind)
        self.unit = parameter.kind.unit if isinstance(parameter.kind, kinds.Whole) else ""

    def prepare_value(self, value: Any) -> Any:
        """Show a value of an earlier command's params as one would type it."""
        return json.dumps(value) if isinstance(value, bool | list | dict) else value


class ReasonField(forms.ChoiceField):
    """Why a person asks. It is kept with the command, and no parameter of Telnyx's."""

    def __init__(self) -> None:
        super().__init__(
            label="Why",
            choices=REASONS,
            initial=REASONS[0][0],
            error_messages={
                "required": WHICH,
                "invalid_choice": f"“%(value)s” is no reason. {WHICH}",
            },
        )


class ReasonForm(forms.Form):
    """Nothing but why."""

    why = ReasonField()


class CommandForm(forms.Form):
    """The parameters of one command."""

    kind: ClassVar[str]

    def __init__(
        self,
        *args: Any,
        fixed: Mapping[str, JSON] | None = None,
        suggestions: Mapping[str, Sequence[str]] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take what Form takes; parameters in `fixed` are sent as they are, and not asked for."""
        super().__init__(*args, **kwargs)
        self.params: dict[str, JSON] = {}
        self.why = ""
        self.fixed = fixed or {}
        for name in self.fixed:
            del self.fields[name]
        for name, field in self.fields.items():
            if isinstance(field, ParameterField):
                field.suggestions = (suggestions or {}).get(name, field.suggestions)
                if field.suggestions:
                    if self.kind == "dial" and name == "from":  # the busiest of our numbers
                        self.initial.setdefault(name, field.suggestions[0])
                    field.widget.attrs["list"] = f"{self[name].auto_id or name}_list"

    def clean(self) -> dict[str, Any]:
        """Check everything at once; leave the result in `params`, the problems at their fields."""
        self.why = self.cleaned_data.get("why", "")
        try:
            self.params = clean(self.kind, {**self.given(), **self.fixed})
        except Invalid as exc:
            for problem in exc.problems:
                field = problem.field if problem.field in self.fields else None
                self.add_error(field, problem.message)
        return self.cleaned_data

    def given(self) -> dict[str, Any]:
        """Return the values by parameter, as they were typed; numbers in Telnyx's spelling."""
        typed = {name: value for name, value in self.cleaned_data.items() if name != "why"}
        if self.kind != Kind.DIAL:
            return typed
        own = getattr(self.fields.get("from"), "suggestions", ())
        shown = numbers.read(str(typed.get("from") or ""), like=next(iter(own), ""))
        return typed | {"from": shown, "to": numbers.read(str(typed.get("to") or ""), like=shown)}

    def main_fields(self) -> list[forms.BoundField]:
        """Return the fields that people use."""
        names = MAIN.get(self.kind, ())
        return [self[name] for name in names if name in self.fields]

    def more_fields(self) -> list[forms.BoundField]:
        """Return the fields for "More options"."""
        names = MAIN.get(self.kind, ())
        return [self[name] for name in self.fields if name not in names]

    def must_show_more(self) -> bool:
        """Tell whether "More options" must stand open: something in there is wrong."""
        return any(field.errors for field in self.more_fields())


@cache
def for_kind(kind: str) -> type[CommandForm]:
    """Return the form of a command. Raises KeyError for one that we do not give."""
    desk = DESK.get(kind, {})

    class KindForm(CommandForm):
        pass

    KindForm.kind = kind
    KindForm.base_fields = {
        it.name: ParameterField(it, desk.get(it.name))
        for it in ACTIONS[kind]
        if it.name not in ELSEWHERE.get(kind, ())
    }
    if kind == Kind.RECORD_PAUSE:
        KindForm.base_fields = {"why": ReasonField(), **KindForm.base_fields}
    return KindForm


def _widget(parameter: Parameter) -> forms.Widget:
    needed = {"required": True} if parameter.required else {}
    typed = needed | ({"placeholder": parameter.default} if parameter.default else {})
    unset = ("", f"Default ({parameter.default})" if parameter.default else "Not set")
    match parameter.kind:
        case kinds.YesNo():
            return forms.Select(needed, choices=[unset, ("true", "Yes"), ("false", "No")])
        case kinds.Choice(options):
            choices = [] if parameter.required else [unset]
            return forms.Select(
                needed, choices=[*choices, *((word, LABELS.get(word, word)) for word in options)]
            )
        case kinds.Whole(least, most):
            return forms.NumberInput(typed | {"min": least, "max": most, "step": 1})
        case kinds.Text(longest, lines=True):
            return forms.Textarea(typed | {"maxlength": longest, "rows": 4})
        case kinds.Text(longest):
            return forms.TextInput(typed | {"maxlength": longest})
        case kinds.Loop() | kinds.Destination():
            return forms.TextInput(typed)
        case _:
            return forms.Textarea(typed | {"rows": 2, "spellcheck": "false"})


def _suggestions(kind: kinds.Kind) -> Sequence[str]:
    match kind:
        case kinds.OpenChoice(suggestions=words):
            return words
        case kinds.Loop():
            return ("1", "2", "3", "infinity")
        case _:
            return ()
