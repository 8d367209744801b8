import json
import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from access import audit
from calls.line import telnyx
from calls.telnyx.errors import TelnyxError
from dashboard import doctor, folder
from dashboard.doctor import Found, Level, provider

WRONG, UNCHECKED = 1, 2
JOINED = "TAPELINE_JOINED"


def join_the_running_desk() -> None:
    """Begin anew with the settings that `make run` made for its processes, if it runs here."""
    told = folder.lent(settings.DATA_DIR)
    is_command = sys.argv[1:2] == ["doctor"]
    if told and is_command and JOINED not in os.environ:
        arguments = [sys.executable, *sys.argv]
        os.execve(sys.executable, arguments, told | dict(os.environ) | {JOINED: "1"})  # noqa: S606


class Command(BaseCommand):
    help = (
        "Examine the desk: database, storage, processes, the way to Telnyx and back. Changes"
        " nothing unless --fix. Ends with 0, with 1 if something is wrong, with 2 if something"
        " could not be checked."
    )
    requires_system_checks: list[str] = []  # it has better words for what they find

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="print the findings as JSON")
        parser.add_argument(
            "--fix", action="store_true", help="set the application's webhooks, after asking"
        )
        parser.add_argument("--yes", action="store_true", help="with --fix: do not ask")

    def handle(self, *args: Any, **options: Any) -> None:
        join_the_running_desk()
        if options["fix"]:
            self.fix(is_agreed=options["yes"])
        order = [check.name for check in doctor.checks()]
        found = sorted(doctor.examine(), key=lambda each: order.index(each.name))
        if options["json"]:
            self.stdout.write(json.dumps([each.as_json() for each in found], indent=2))
        else:
            for each in found:
                self.say(each)
        levels = {each.level for each in found}
        if Level.WRONG in levels:
            sys.exit(WRONG)
        if Level.UNKNOWN in levels:
            sys.exit(UNCHECKED)

    def say(self, found: Found) -> None:
        """Print one finding."""
        self.stdout.write(f"{found.word:<12}{found.label:<14}{found.text}")
        if found.remedy:
            self.stdout.write(f"{'':<26}-> {found.remedy}")

    def fix(self, *, is_agreed: bool) -> None:
        """Show what would be set at Telnyx, and set it with consent."""
        if not settings.TELNYX_CONNECTION_ID:
            raise CommandError("TELNYX_CONNECTION_ID is not set, so no application is known")
        try:
            found = telnyx().application(settings.TELNYX_CONNECTION_ID)
            wanted = provider.changes(found)
            if not wanted:
                self.stderr.write("The application is set as the desk needs it.")
                return
            self.stderr.write(f"Application {found.name} ({found.application_id}):")
            for what, (now, then) in wanted.items():
                self.stderr.write(f"  {what}: {now} -> {then}")
            if not is_agreed and input("Set this at Telnyx? [y/N] ").strip().lower() != "y":
                raise CommandError("nothing was changed")
            before = {what: now for what, (now, _) in wanted.items()}
            after = {what: then for what, (_, then) in wanted.items()}
            subject = f"application {found.application_id}"
            audit.record(None, "set webhooks", subject, before=before, after=after)
            provider.apply_changes(found)
        except (TelnyxError, ValueError) as exc:
            raise CommandError(f"the application was not set: {exc}") from exc
        except EOFError:
            raise CommandError("nobody is there to be asked; nothing was changed") from None
