from typing import Any

from django.core.management.base import BaseCommand

from calls.projection import rebuild


class Command(BaseCommand):
    help = "Compute the state of every call anew from its facts. Safe at any time."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"{rebuild()} calls folded")
