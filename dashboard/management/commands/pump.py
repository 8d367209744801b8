import os
import signal
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from dashboard.pump import Pump


class Command(BaseCommand):
    help = "Do whatever is overdue, and keep time. Needs the database and no broker."

    def handle(self, *args: Any, **options: Any) -> None:
        pump = Pump()

        def stop(number: int, frame: FrameType | None) -> None:
            pump.stop()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        pump.run()
        os._exit(
            0
        )  # a round that hangs in the network must not hold up the end; its rows stay due
