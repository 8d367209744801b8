import json
import signal
import sys
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from dashboard.bench import align, board, click, intake, library, machine, memory
from dashboard.bench.stage import Broken

MOST_MINUTES = 240  # of generated speech; it is made in memory
BENCHES = {bench.NAME: bench for bench in (intake, click, board, memory, align, library)}


class Command(BaseCommand):
    help = "Measure the desk on this machine, with servers and folders of its own. Linux only."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("names", nargs="*", metavar="|".join(BENCHES), help="default: all")
        parser.add_argument("--json", action="store_true", help="print the figures as JSON alone")
        parser.add_argument("--rounds", type=int, default=intake.Sizes.rounds, help="of intake")
        parser.add_argument(
            "--seconds", type=float, default=intake.Sizes.seconds, help="of each turn of intake"
        )
        parser.add_argument(
            "--minutes", type=float, default=align.Sizes.minutes, help="of align's longest call"
        )
        parser.add_argument(
            "--board-seconds",
            type=float,
            default=board.Sizes.seconds,
            help="of changes on the board; 0 for none",
        )
        parser.add_argument(
            "--changes", type=float, default=board.Sizes.changes_per_s, help="of them, a second"
        )
        parser.add_argument(
            "--kills", type=int, default=board.Sizes.kills, help="of the board's web process"
        )
        parser.add_argument(
            "--database",
            choices=intake.Sizes.databases,
            help="measure intake on this one alone",
        )
        parser.add_argument(
            "--recordings",
            type=int,
            default=library.Sizes.recordings,
            help="of the large library, which is compared with one of 10,000",
        )

        parser.add_argument(
            "--on",
            nargs="+",
            default=[],
            metavar="URL",
            help="databases that the library's questions are asked of instead of new ones: a small"
            " and a large one, and more such pairs; they are only read",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        names = options["names"] or list(BENCHES)
        if unknown := [name for name in names if name not in BENCHES]:
            raise CommandError(f"{unknown[0]!r} is none of {', '.join(BENCHES)}")
        if not sys.platform.startswith("linux"):
            raise CommandError("the figures come from /proc, which only Linux has")
        if options["rounds"] < 1 or options["seconds"] <= 0:
            raise CommandError("--rounds and --seconds must be more than nothing")
        if options["recordings"] < library.SMALL:
            raise CommandError(f"--recordings must be {library.SMALL:,} or more")
        if len(options["on"]) % 2:
            raise CommandError(f"--on names {len(options['on'])} databases; name them in pairs")
        if not 0.5 <= options["minutes"] <= MOST_MINUTES:
            raise CommandError(f"--minutes must be from 0.5 to {MOST_MINUTES}")
        self.is_json = options["json"]
        signal.signal(signal.SIGTERM, end)  # as Ctrl-C does, it leaves the stage tidily
        figures: dict[str, Any] = {"machine": machine.about()}
        self.say(machine.line(figures["machine"]))
        try:
            for name in names:
                self.say(f"\n{name}")
                figures[name] = self.measure(name, options)
                self.say("\n".join(BENCHES[name].lines(figures[name])))
        except Broken as exc:
            raise CommandError(str(exc)) from exc
        except KeyboardInterrupt:
            raise CommandError("stopped") from None
        if self.is_json:
            self.stdout.write(json.dumps(figures, indent=2))

    def measure(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Run one bench."""
        if name == intake.NAME:
            chosen = [options["database"]] if options["database"] else intake.Sizes.databases
            sizes = intake.Sizes(options["rounds"], options["seconds"], databases=chosen)
            return intake.run(sizes, self.say)
        if name == click.NAME:
            return click.run(click.Sizes(), self.say)
        if name == board.NAME:
            load = board.Sizes(
                changes_per_s=options["changes"],
                seconds=options["board_seconds"],
                kills=options["kills"],
            )
            return board.run(load, self.say)
        if name == align.NAME:
            return align.run(align.Sizes(options["minutes"]), self.say)
        if name == library.NAME:
            return library.run(library.Sizes(options["recordings"], on=options["on"]), self.say)
        return memory.run(memory.Sizes(), self.say)

    def say(self, line: str) -> None:
        """Print a line for people at once."""
        stream = sys.stderr if self.is_json else sys.stdout
        stream.write(f"{line}\n")
        stream.flush()


def end(number: int, frame: FrameType | None) -> None:
    """End by unwinding."""
    raise KeyboardInterrupt
