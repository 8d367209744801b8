"""manage.py lookout: read the board for the live hub that started this process."""

import os
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand

from dashboard import lookout
from dashboard.screen import Screen


class Command(BaseCommand):
    help = "Read the board for a web process, which starts this by itself."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the web process
        answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever else is said is no answer
        lookout.serve(Screen(), sys.stdin.buffer, answers)
