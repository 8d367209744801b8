import os
import select
from contextlib import suppress
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard import folder, launch
from dashboard.processes import Crew, Fell, end_with_parent


class Command(BaseCommand):
    help = "Run the whole desk on this machine until Ctrl-C. Without TELNYX_API_KEY: the demo."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--end-with-parent",
            action="store_true",
            help="stop when the program that started this one is gone, however it went",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["end_with_parent"]:
            end_with_parent(os.getppid())
        os.chdir(settings.BASE_DIR)
        os.umask(0o077)  # recordings, rows and keys are nobody else's on this machine
        try:
            with folder.hold(settings.DATA_DIR) as lock:
                launch.Desk(Crew(self.say, keep_open=[lock.fileno()]), self.say).run()
        except (folder.Taken, launch.Refused, Fell) as exc:
            raise CommandError(str(exc)) from exc

    def say(self, line: str) -> None:
        """Print one line at once; a pipe that nobody empties must not stop the desk."""
        with suppress(OSError):
            if select.select([], [self.stdout.fileno()], [], 0.1)[1]:
                self.stdout.write(line)
                self.stdout.flush()
