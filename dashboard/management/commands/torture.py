import json
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.bench.stage import Broken
from dashboard.management.commands.bench import end
from dashboard.torture import guards, trial


class Command(BaseCommand):
    help = "Kill and disturb a desk of its own, and count what is lost. Linux only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--minutes",
            type=float,
            default=3,
            help="in whole rounds; the last files may take three more",
        )
        parser.add_argument(
            "--guard",
            action="store_true",
            help="instead: pauses whose time is up while every process lies dead",
        )
        parser.add_argument("--rounds", type=int, default=25, help="with --guard; 15 s each")
        parser.add_argument("--seed", type=int, default=1, help="another one, another story")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")

    def handle(self, *args: Any, **options: Any) -> None:
        if not sys.platform.startswith("linux"):
            raise CommandError("processes are found in /proc, which only Linux has")
        for name in ("minutes", "rounds"):
            if options[name] <= 0:
                raise CommandError(f"--{name} must be more than nothing")
        self.is_json = options["json"]
        signal.signal(signal.SIGTERM, end)  # as Ctrl-C does, it leaves the stage tidily
        try:
            if options["guard"]:
                figures = guards.run(options["rounds"], options["seed"], self.say)
            else:
                figures = trial.run(options["minutes"] * 60, options["seed"], self.say)
        except Broken as exc:
            raise CommandError(str(exc)) from exc
        except KeyboardInterrupt:
            raise CommandError("stopped") from None
        if self.is_json:
            self.stdout.write(json.dumps(figures, indent=2))
        else:
            lines = guards.lines if options["guard"] else trial.lines
            self.say("\n".join(lines(figures)))
        if figures["first"]:
            raise CommandError("the desk and Telnyx disagree")

    def say(self, line: str) -> None:
        """Print a line for people at once."""
        stream = sys.stderr if self.is_json else sys.stdout
        stream.write(f"{line}\n")
        stream.flush()
