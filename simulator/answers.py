"""What the API answers: Telnyx's success envelope, its error shape, and the codes it documents."""

from collections.abc import Sequence
from typing import Any, NamedTuple

Json = dict[str, Any]

ERROR_PAGE = "https://developers.telnyx.com/docs/overview/errors/"

# code -> title. Several codes mean other things elsewhere at Telnyx: clients key on the status.
TITLES = {
    "10004": "Missing required parameter",
    "10005": "Resource not found",
    "10007": "Unexpected error",
    "10009": "Authentication failed",
    "10015": "Bad request",
    "10016": "Phone number must be in +E.164 format",
    "10032": "Invalid enumerated value",
    "10033": "Value outside of range",
    "90000": "Invalid value for format",
    "90001": "Invalid value for channels",
    "90009": "Invalid value for loop",
    "90010": "Invalid value for payload",
    "90011": "Invalid value for payload_type",
    "90012": "Invalid value for voice",
    "90013": "Invalid value for language",
    "90015": "Invalid Call Control ID",
    "90016": "Invalid value for stop",
    "90017": "Invalid value for client_state",
    "90018": "Call has already ended",
    "90020": "Call recording triggered before audio started",
    "90028": "Invalid value for timeout_secs",
    "90030": "Invalid value for service_level",
    "90034": "Call has not been answered yet",
    "90049": "Invalid value for record_timeout_secs",
    "90053": "Recording timeout and live transcription exclude each other",
    "90054": "Call transcription is already in progress",
    "90055": "Transcription is in use by the recording's timeout",
    "90057": "Invalid value for webhook_urls",
    "90059": "Invalid value for recording_track",
    "90102": "Outbound calls cannot be answered",
}


class Answer(NamedTuple):
    """A status with its JSON body (None: an empty one), and whether anything changed by it."""

    status: int
    body: Json | None
    took_effect: bool = False


def error(
    code: str, detail: str, *, pointer: str | None = None, parameter: str | None = None
) -> Json:
    """Return one entry of the errors list."""
    entry: Json = {
        "code": code,
        "title": TITLES[code],
        "detail": detail,
        "meta": {"url": ERROR_PAGE + code},
    }
    if pointer:
        entry["source"] = {"pointer": pointer}
    if parameter:
        entry["source"] = {"parameter": parameter}
    return entry


class Refused(Exception):
    """The request is refused and nothing has changed."""

    def __init__(self, status: int, errors: Sequence[Json]) -> None:
        super().__init__("; ".join(str(entry["detail"]) for entry in errors))
        self.answer = Answer(status, {"errors": list(errors)})


def refused(status: int, code: str, detail: str, *, pointer: str | None = None) -> Refused:
    """Return the exception for a single error."""
    return Refused(status, [error(code, detail, pointer=pointer)])


def accepted(**extra: Any) -> Answer:
    """Return what every action answers when Telnyx has taken it."""
    return Answer(200, {"data": {"result": "ok", **extra}}, took_effect=True)


def ignored() -> Answer:
    """Return what an action answers that is taken but changes nothing."""
    return Answer(200, {"data": {"result": "ok"}})
