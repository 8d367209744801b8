"""A line that says how far a long command has come: redrawn on a terminal, rare in a log."""

from dataclasses import dataclass, field
from time import monotonic

from django.core.management.base import OutputWrapper

EVERY_S = {True: 0.2, False: 10.0}  # on a terminal, in a log
WIDTH = 30


@dataclass(slots=True)
class Progress:
    """Shows a count of what is done; `total` may become known later."""

    out: OutputWrapper
    total: int | None = None
    next_at: float = field(default_factory=monotonic)

    def show(self, done: int, text: str = "", *, at_once: bool = False) -> None:
        """Say how much is done, unless that was said a moment ago."""
        if not at_once and monotonic() < self.next_at:
            return
        is_terminal = self.out.isatty()
        self.next_at = monotonic() + EVERY_S[is_terminal]
        line = ", ".join(filter(None, [self._bar(done), text]))
        self.out.write(
            f"\r{line}\x1b[K" if is_terminal else line, ending="" if is_terminal else None
        )

    def end(self, done: int, text: str = "") -> None:
        """Say the last word."""
        self.show(done, text, at_once=True)
        if self.out.isatty():
            self.out.write("")

    def _bar(self, done: int) -> str:
        if not self.total:
            return f"{done:,}"
        part = min(1.0, done / self.total)
        bar = "#" * round(part * WIDTH)
        return f"[{bar:.<{WIDTH}}] {part:4.0%}  {done:,} of {self.total:,}"
