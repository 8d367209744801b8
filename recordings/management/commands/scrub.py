import math
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from recordings import scrub, storage
from recordings.models import Recording, State
from recordings.progress import Progress


class Command(BaseCommand):
    help = (
        "Read stored files again and compare their SHA-256: a thirtieth of them, those checked"
        " longest ago. Damaged ones are not played any more, and fetched again if Telnyx can."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--all", action="store_true", help="check every stored file")

    def handle(self, *args: Any, **options: Any) -> None:
        stored = Recording.objects.filter(state=State.STORED).count()
        most = stored if options["all"] else math.ceil(stored / scrub.NIGHTS)
        progress, done, damaged = Progress(self.stdout, most), 0, 0
        try:
            for recording in scrub.oldest(before=timezone.now()):
                if done >= most:
                    break
                wrong = scrub.check(recording, bytes_per_s=math.inf)
                done, damaged = done + 1, damaged + bool(wrong)
                if wrong:
                    self.stderr.write(f"\n{recording.pk}: {wrong}")
                progress.show(done, f"{damaged} damaged")
        except storage.Trouble as exc:
            raise CommandError(f"{exc} {done:,} checked; the rest another time.") from exc
        progress.end(done, f"{damaged} damaged")
        if damaged:
            raise CommandError(
                f"{damaged} damaged. The pump fetches them again where Telnyx still has them;"
                " the page of what is missing lists the rest."
            )
