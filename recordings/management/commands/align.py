import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls.audio import NotAudio
from recordings.alignment import Segment, align, shape
from recordings.alignment.recogniser import MODELS, model_for


class Command(BaseCommand):
    help = "Find when each sentence and word of a text is said in a recording. Works offline."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("audio", type=Path, help="a WAV or MP3 file")
        parser.add_argument("text", type=Path, help="what is said in it, as plain UTF-8 text")
        parser.add_argument("--json", action="store_true", help="print every word's times as JSON")
        parser.add_argument("--language", default="en", help="such as en-GB (default: en)")

    def handle(self, *args: Any, **options: Any) -> None:
        text = read(options["text"])
        if not options["audio"].is_file():
            raise CommandError(f"{options['audio']} is not a file.")
        try:
            segments = align(options["audio"], text, language=options["language"])
        except NotAudio as exc:
            raise CommandError(f"{options['audio']} cannot be aligned. {exc}") from exc
        except OSError as exc:
            raise CommandError(f"{options['audio']} cannot be read: {exc.strerror}.") from exc
        if model_for(options["language"]) is None:
            self.stderr.write(
                f"There is no model for the language {options['language']!r}, only for"
                f" {', '.join(MODELS)}: nothing is timed."
            )
        if options["json"]:
            self.stdout.write(json.dumps({"segments": [shape.as_json(each) for each in segments]}))
        else:
            self.stdout.write("\n".join(line(each) for each in segments))


def read(file: Path) -> str:
    """Return the text of a file. Raises CommandError."""
    try:
        with file.open("rb") as opened:
            return shape.read(opened)
    except shape.NotText as exc:
        raise CommandError(f"{file} {exc}.") from exc
    except OSError as exc:
        raise CommandError(f"{file} cannot be read: {exc.strerror}.") from exc


def line(segment: Segment) -> str:
    """Return a segment as one line for people."""
    if segment.start_ms is None or segment.confidence is None:
        return f"{'not found':>11}        {segment.text}"
    minutes, ms = divmod(segment.start_ms, 60_000)
    return f"{minutes:>4}:{ms / 1000:06.3f}  {segment.confidence:>4.0%}  {segment.text}"
