import sys
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import folder
from dashboard.seeding import load, sounds
from recordings.models import Recording
from recordings.storage import NoRoom

MOST = 5_000_000
MOST_DAYS = 3_650


class Command(BaseCommand):
    help = (
        "Fill the library with invented calls, recordings and texts, to try it or to measure it."
        " They are no facts of Telnyx: `rebuild` would find nothing about them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--recordings", type=int, default=1_000, help="how many (1000)")
        parser.add_argument("--days", type=int, default=730, help="over how many days (730)")
        parser.add_argument("--seed", default="7", help="another seed, other calls (7)")
        parser.add_argument("--silent", action="store_true", help="make no files to listen to")
        parser.add_argument("--yes", action="store_true", help="also among a real account's calls")

    def handle(self, *args: Any, **options: Any) -> None:
        count, days = options["recordings"], options["days"]
        if not 1 <= count <= MOST:
            raise CommandError(f"--recordings is {count}; it can be 1 to {MOST:,}")
        if not 1 <= days <= MOST_DAYS:
            raise CommandError(f"--days is {days}; it can be 1 to {MOST_DAYS:,}")
        if folder.purpose(settings.DATA_DIR) == folder.ACCOUNT and not options["yes"]:
            raise CommandError(
                f"{settings.DATA_DIR} holds the calls of a real account, and invented ones would"
                " stand among them. Choose another folder by TAPELINE_DATA, or give --yes."
            )
        self.fill(count, days, options["seed"], is_silent=options["silent"])

    def fill(self, count: int, days: int, seed: str, *, is_silent: bool) -> None:
        """Make the sounds, then the rows."""
        began, before = time.monotonic(), Recording.objects.count()
        try:
            heard = sounds.silent() if is_silent else list(sounds.make())
        except NoRoom as exc:
            raise CommandError(str(exc)) from exc
        until = datetime.now(UTC).date()
        plan = load.Plan(count, days, until, f"{seed}/{before}", heard)
        load.load(plan, self.say)
        took = time.monotonic() - began
        self.say(f"{count:,} recordings of {days} days in {took:.0f} s\n")

    def say(self, words: str) -> None:
        """Print without a line's end of its own: progress stays on one line."""
        if sys.stdout.isatty() or words.endswith("\n") or words.startswith("\rB"):
            self.stdout.write(words, ending="")
            self.stdout.flush()
