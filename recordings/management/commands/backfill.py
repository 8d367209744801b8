from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from calls.telnyx.errors import TelnyxError
from recordings import backfill
from recordings.models import Backfill
from recordings.progress import Progress

FIRST = datetime(2009, 1, 1, tzinfo=UTC)  # Telnyx did not exist before


class Command(BaseCommand):
    help = (
        "Import the recordings and texts that Telnyx still holds. May be stopped at any time:"
        " the same command goes on where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--since", required=True, help="first day, such as 2026-01-31")
        parser.add_argument("--until", help="last day, included (default: now)")
        parser.add_argument("--dry-run", action="store_true", help="count, and change nothing")
        parser.add_argument(
            "--per-second",
            type=float,
            default=backfill.PER_S,
            help=f"requests to Telnyx in a second (default: {backfill.PER_S:g})",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.TELNYX_API_KEY:
            raise CommandError("TELNYX_API_KEY is not set: Telnyx cannot be asked.")
        if not 0.01 <= options["per_second"] <= 50:
            raise CommandError(f"--per-second is {options['per_second']:g}, must be 0.01 to 50.")
        since, until = begin_of(options["since"], "--since"), end_of(options["until"])
        if until and until <= since:
            raise CommandError("--until lies before --since.")
        pace = backfill.Pace(options["per_second"])
        try:
            if options["dry_run"]:
                self.count(since, until or timezone.now(), pace)
            else:
                self.run(backfill.begin(since, until), pace)
        except TelnyxError as exc:
            raise CommandError(f"{exc}. Start the same command again to go on.") from exc

    def count(self, since: datetime, until: datetime, pace: backfill.Pace) -> None:
        """Say what an import would bring."""
        progress, seen, unknown = Progress(self.stdout), 0, 0
        for seen, unknown, progress.total in backfill.count(since, until, pace):
            progress.show(seen, f"{unknown:,} not here yet")
        progress.end(seen, f"{unknown:,} not here yet; nothing was changed")

    def run(self, job: Backfill, pace: backfill.Pace) -> None:
        """Import, and say how far it is."""
        if job.page > 1 or job.part != Backfill.Part.RECORDINGS:
            self.stdout.write(f"Goes on at page {job.page} of the {job.part}.")
        progress = Progress(self.stdout, job.total)
        for _ in backfill.run(job, pace):  # the job's own row counts
            progress.total = job.total
            progress.show(job.seen, f"{job.new:,} new, {job.texts:,} texts")
        progress.end(job.seen, f"{job.new:,} new, {job.texts:,} texts")
        self.stdout.write("Done. The files are fetched in the background, after newer ones.")


def begin_of(text: str, option: str) -> datetime:
    """Return when a day begins in the desk's time zone, or a time as it is."""
    try:
        at = parse_datetime(text) if "T" in text else None
        day = parse_date(text)
    except ValueError as exc:
        raise CommandError(f"{option} is {text!r}: {exc}.") from exc
    if at is None and day is not None:
        at = datetime.combine(day, time.min)
    if at is None:
        raise CommandError(f"{option} is {text!r}, must be a day such as 2026-01-31.")
    at = at if at.tzinfo else timezone.make_aware(at)
    if not FIRST <= at <= timezone.now():
        raise CommandError(f"{option} is {text!r}, must be a day from {FIRST.year} to today.")
    return at


def end_of(text: str | None) -> datetime | None:
    """Return when a day ends, or None for now."""
    if text is None:
        return None
    at = begin_of(text, "--until")
    return at if "T" in text else at + timedelta(days=1)
