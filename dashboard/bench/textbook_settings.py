"""The settings of the textbook view: the desk's own, with one URL, and as durable as the door."""

from dashboard.settings import *  # noqa: F403
from dashboard.settings import DATABASES

ROOT_URLCONF = "dashboard.bench.textbook"
_options = DATABASES["default"]["OPTIONS"]
if "init_command" in _options:  # the door's own connection syncs every commit, so this one does
    _options["init_command"] = _options["init_command"].replace(
        "synchronous=NORMAL", "synchronous=FULL"
    )
