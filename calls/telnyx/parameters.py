"""Check a command's parameters before Telnyx sees them, and say everything that is wrong at once.

action, raw values (of a form or a program) -> exactly what goes to Telnyx, or Invalid(problems)
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from calls.telnyx import ssml
from calls.telnyx.catalogue import ACTIONS
from calls.telnyx.checks import shown
from calls.telnyx.kinds import Parameter, Refused, inside
from calls.telnyx.values import JSON

__all__ = ["ACTIONS", "Invalid", "Parameter", "Problem", "clean"]

SOUNDS = ("media_name", "audio_url", "playback_content")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong; `message` is a sentence naming the field, the value and the limit."""

    field: str
    value: str
    message: str


class Invalid(ValueError):
    """What Telnyx would refuse, or what would not do what was meant."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = problems


def clean(action: str, raw: Mapping[str, object]) -> dict[str, JSON]:
    """Return the parameters for Telnyx; what is None or blank is left out.

    Raises Invalid with every problem; ValueError for an action that we do not give.
    """
    if action not in ACTIONS:
        raise ValueError(f"{shown(action)} is no command of ours")
    given = {name: value for name, value in raw.items() if not _is_blank(value)}
    params, problems = _read(ACTIONS[action], given)
    known = {parameter.name for parameter in ACTIONS[action]}
    problems += [
        Problem(name, shown(given[name]), f"{shown(name)} is not a parameter of {action}")
        for name in sorted(given.keys() - known)
    ]
    for rule in RULES.get(action, ()):
        problems += rule(given, params)
    if problems:
        raise Invalid(problems)
    return params


def _read(
    table: tuple[Parameter, ...], given: Mapping[str, object]
) -> tuple[dict[str, JSON], list[Problem]]:
    params: dict[str, JSON] = {}
    problems: list[Problem] = []
    for parameter in table:
        name = parameter.name
        if name not in given:
            if parameter.required:
                problems.append(Problem(name, "", f"{name} is missing"))
            continue
        try:
            params[name] = inside(name, parameter.kind, given[name])
        except Refused as exc:
            problems.append(Problem(name, shown(given[name]), f"{exc.within} {exc}"))
    return params, problems


def _is_blank(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


Given = Mapping[str, object]
Params = Mapping[str, JSON]
Rule = Callable[[Given, Params], Iterator[Problem]]


def _one_sound(given: Given, _: Params) -> Iterator[Problem]:
    named = [name for name in SOUNDS if name in given]
    if not named:
        message = f"one of {', '.join(SOUNDS)} is needed: there is nothing to play"
        yield Problem(SOUNDS[0], "", message)
    for name in named[1:]:
        message = f"{name} cannot go with {named[0]}: only one sound is played"
        yield Problem(name, shown(given[name]), message)


def _at_most_one_sound(given: Given, params: Params) -> Iterator[Problem]:
    return _one_sound(given, params) if given.keys() & set(SOUNDS) else iter(())


def _overlay_reaches_self_only(_: Given, params: Params) -> Iterator[Problem]:
    legs = params.get("target_legs", "self")
    if params.get("overlay") is True and legs != "self":
        message = f"target_legs is {shown(legs)}, with overlay it must be self"
        yield Problem("target_legs", str(legs), message)


def _speakers_in_order(_: Given, params: Params) -> Iterator[Problem]:
    least = params.get("transcription_min_speaker_count", 2)
    most = params.get("transcription_max_speaker_count", 6)
    if isinstance(least, int) and isinstance(most, int) and least > most:
        field = f"transcription_{'min' if least != 2 else 'max'}_speaker_count"
        message = f"the fewest speakers are {least}, more than the most, {most}"
        yield Problem(field, str(params[field]), message)


def _nova_knows_english(_: Given, params: Params) -> Iterator[Problem]:
    language = str(params.get("transcription_language", "en"))
    is_english = language == "en" or language.startswith("en-")
    if params.get("transcription_engine") == "deepgram/nova-3" and not is_english:
        message = (
            f"transcription_language is {shown(language)}, deepgram/nova-3 knows English only"
        )
        yield Problem("transcription_language", language, message)


def _well_formed_ssml(_: Given, params: Params) -> Iterator[Problem]:
    payload = params.get("payload")
    if params.get("payload_type") == "ssml" and isinstance(payload, str):
        fault = ssml.fault(payload, voice=str(params.get("voice", "")))
        if fault:
            yield Problem("payload", shown(payload), f"payload {fault}")


def _basic_is_plain(_: Given, params: Params) -> Iterator[Problem]:
    is_basic = params.get("service_level") == "basic"
    for name, only in (("language", "en-US"), ("payload_type", "text")):
        value = params.get(name, only)
        if is_basic and value != only:
            message = f"{name} is {shown(value)}, with service_level basic it must be {only}"
            yield Problem(name, str(value), message)
    voice = params.get("voice")
    if not is_basic and voice in ("male", "female"):
        message = f"voice is {shown(voice)}, which needs service_level basic"
        yield Problem("voice", str(voice), message)


def _same_engine(_: Given, params: Params) -> Iterator[Problem]:
    engine = params.get("transcription_engine", "Google")
    config = params.get("transcription_engine_config")
    inner = config.get("transcription_engine") if isinstance(config, dict) else None
    if isinstance(inner, str) and isinstance(engine, str) and _family(inner) != _family(engine):
        message = (
            f"transcription_engine_config is for {shown(inner)}, "
            f"but transcription_engine is {shown(engine)}"
        )
        yield Problem("transcription_engine_config", inner, message)


def _family(engine: str) -> str:
    # the names that Telnyx has for one and the same engine
    return {"A": "Google", "B": "Telnyx"}.get(engine, engine.partition("/")[0].capitalize())


def _link_needed(given: Given, params: Params) -> Iterator[Problem]:
    for name in ("bridge_intent", "bridge_on_answer", "park_after_unbridge"):
        value = params.get(name)
        if value and "link_to" not in given:
            message = f"{name} is {shown(value)}, which needs link_to"
            yield Problem(name, str(value), message)


RULES: Mapping[str, tuple[Rule, ...]] = {
    "playback_start": (_one_sound, _overlay_reaches_self_only),
    "record_start": (_speakers_in_order, _nova_knows_english),
    "speak": (_well_formed_ssml, _basic_is_plain),
    "transcription_start": (_same_engine,),
    "dial": (_at_most_one_sound, _link_needed),
}
