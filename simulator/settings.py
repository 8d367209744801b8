"""How the stand-in behaves where Telnyx is undocumented, slow, or of interest to a test.

Every field is a lever: POST /_simulator/settings {"saved_delay_s": 0.2}.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints


class BadSetting(ValueError):
    """A setting is unknown, or its value cannot be used."""


@dataclass
class Settings:
    """The levers, with the values a quiet and truthful Telnyx would have."""

    pause_mode: Literal["cut", "silence"] = "cut"  # what the file holds for a pause
    strictness: Literal["strict", "lenient"] = (
        "strict"  # pause, resume, stop out of turn: 422, 200
    )
    second_recording: Literal["accept", "refuse"] = "accept"  # record_start while one runs
    audio_delay_s: float = 0.2  # 90020 for so long after the answer
    saved_delay_s: float = 1.0  # stop of a recording -> call.recording.saved
    transcript_delay_s: float = 2.0  # saved -> call.recording.transcription.saved
    link_ttl_s: float = 600.0  # Telnyx: ten minutes
    omit_ids: bool = (
        False  # saved without call_control_id and recording_id, as Telnyx's spec has it
    )
    call_cost: bool = False  # call.cost after each hangup
    ring_s: float | None = (
        None  # how long a dialled party rings; None: one to three seconds, by seed
    )
    dial_outcome: Literal["answer", "busy", "no_answer", "reject", "not_found"] = "answer"
    delivery_timeout_s: float = 2.0  # Telnyx gives a webhook two seconds
    retry_for_s: float = 60.0  # Telnyx's retries of one webhook end within about a minute
    retry_first_s: float = 0.5  # the first wait between attempts; each next one is twice as long

    def change(self, wanted: dict[str, Any]) -> None:
        """Set several at once. Raises BadSetting, naming the key, before anything changed."""
        for name, value in wanted.items():
            _check(name, value)
        for name, value in wanted.items():
            setattr(self, name, value)

    def as_json(self) -> dict[str, Any]:
        """Return every setting with its value."""
        return asdict(self)


HINTS = get_type_hints(Settings)
NAMES = tuple(field.name for field in fields(Settings))


def _check(name: str, value: object) -> None:
    if name not in NAMES:
        raise BadSetting(f"unknown setting {name!r}; known: {', '.join(NAMES)}")
    hint = HINTS[name]
    if get_origin(hint) is Literal:
        if value not in get_args(hint):
            raise BadSetting(f"{name} is {value!r}, must be one of {', '.join(get_args(hint))}")
    elif hint is bool:
        if not isinstance(value, bool):
            raise BadSetting(f"{name} is {value!r}, must be true or false")
    elif value is None:
        if type(None) not in get_args(hint):
            raise BadSetting(f"{name} is null, must be a number of seconds")
    elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 86_400:
        raise BadSetting(f"{name} is {value!r}, must be a number of seconds from 0 to 86400")
