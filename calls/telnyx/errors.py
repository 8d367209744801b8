"""What Telnyx's refusals and silences mean, judged by the status first, then by the code.

Rejected     a definite no: nothing was applied, asking again cannot help
Unavailable  no usable answer now: ask again; `maybe_applied` says whether it may have happened
Source: docs/telnyx.md#errors
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from calls.telnyx.values import JSON, Unreadable, decode, table, text

ENDED = "90018"  # the code of commands to a call that is over
ASK_AGAIN = {408, 409, 429}  # the 4xx that say "not now" instead of "no"
LONGEST_WAIT_S = 300.0  # our choice: a longer wait is a mistake or a date, not a rate limit


@dataclass(frozen=True, slots=True)
class Fault:
    """The first entry of Telnyx's `errors`, as far as it can be read."""

    code: str = ""
    title: str = ""
    detail: str = ""
    pointer: str = ""


class TelnyxError(Exception):
    """Telnyx did not do what was asked. The text is a sentence for the page."""

    permanent: ClassVar[bool]

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        fault: Fault | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        fault = fault or Fault()
        self.status = status
        self.code = fault.code
        self.title = fault.title
        self.detail = fault.detail
        self.pointer = fault.pointer
        self.retry_after_s = retry_after_s

    @property
    def call_ended(self) -> bool:
        """The call is over."""
        return self.permanent and self.code == ENDED

    @property
    def not_found(self) -> bool:
        """Telnyx does not know it: the call, but also the recording or audio file of a command."""
        return self.status == 404

    @property
    def not_answered(self) -> bool:
        """The call has not been answered yet."""
        return self.permanent and self.code == "90034"

    @property
    def audio_not_flowing(self) -> bool:
        """Recording was asked for before the call's audio began; a second later it works."""
        return self.permanent and self.code == "90020"

    @property
    def already_transcribing(self) -> bool:
        """Live transcription is on already."""
        return self.permanent and self.code == "90054"

    @property
    def bad_key(self) -> bool:
        """The API key is not accepted."""
        return self.status == 401

    @property
    def forbidden(self) -> bool:
        """The account may not do this: out of funds, blocked, or a feature it lacks."""
        return self.status == 403


class Rejected(TelnyxError):
    """A definite answer: nothing was applied."""

    permanent = True


class Unavailable(TelnyxError):
    """No usable answer now: silence, a dropped line, a server fault, or "slow down"."""

    permanent = False

    def __init__(
        self,
        message: str,
        *,
        maybe_applied: bool,
        status: int | None = None,
        fault: Fault | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, status=status, fault=fault, retry_after_s=retry_after_s)
        self.maybe_applied = maybe_applied


def is_gone(status: int | None, code: str) -> bool:
    """Say of a refusal that was kept whether Telnyx knows no such live call any more."""
    return status == 404 or code == ENDED


def from_answer(status: int, headers: Mapping[str, str], body: bytes) -> Rejected | Unavailable:
    """Return the error that an answer outside 2xx stands for."""
    fault = read_fault(body)
    said = _said(status, fault)
    if status == 429:
        wait_s = _wait_s(headers)
        return Unavailable(
            f"Telnyx asks to slow down: {said}",
            maybe_applied=False,
            status=status,
            fault=fault,
            retry_after_s=wait_s,
        )
    if status >= 500 or status in ASK_AGAIN:
        return Unavailable(
            f"Telnyx could not do it now: {said}",
            maybe_applied=True,
            status=status,
            fault=fault,
            retry_after_s=_wait_s(headers),
        )
    return Rejected(f"Telnyx refused: {said}", status=status, fault=fault)


def read_fault(body: bytes) -> Fault:
    """Read Telnyx's error body; an empty Fault for whatever else a gateway sends."""
    try:
        entries = table(decode(body)).get("errors")
    except Unreadable:
        return Fault()
    first = table(entries[0]) if isinstance(entries, list) and entries else {}
    return Fault(
        code=_code(first.get("code")),
        title=text(first.get("title"), 200),
        detail=text(first.get("detail"), 500),
        pointer=text(table(first.get("source")).get("pointer"), 200),
    )


def _code(value: JSON) -> str:
    # documented as an integer, sent as a string
    whole_number = isinstance(value, int) and not isinstance(value, bool)
    return str(value)[:20] if whole_number else text(value, 20)


def _said(status: int, fault: Fault) -> str:
    title = fault.title or fault.detail or f"status {status}"
    said = f"{title} ({fault.code})" if fault.code else title
    if fault.detail and fault.detail != title:
        said = f"{said}. {fault.detail}"
    return said


def _wait_s(headers: Mapping[str, str]) -> float | None:
    """Return how long Telnyx asks to wait. Both headers count seconds from now."""
    for name in ("retry-after", "x-ratelimit-reset"):
        try:
            seconds = float(headers.get(name, ""))
        except ValueError:
            continue
        if 0 <= seconds <= LONGEST_WAIT_S:
            return seconds
    return None
