import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from recordings.search import index


class Command(BaseCommand):
    help = (
        "Make the searched texts of all recordings anew, oldest first. Safe at any time; if it is"
        " stopped, it says how to go on from there."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--after", type=int, default=-1, help="the place to go on from")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["after"] < -1:
            raise CommandError(f"--after is {options['after']}, which is no place")
        place, done = options["after"], 0
        try:
            for place in index.rebuild(after=options["after"]):
                done += 1
                if done % index.BATCH == 0 and sys.stdout.isatty():
                    self.stdout.write(f"\r{done:,} recordings, at place {place}", ending="")
        except KeyboardInterrupt:
            raise CommandError(f"stopped; go on with: reindex --after {place}") from None
        self.stdout.write(f"{done:,} recordings indexed")
