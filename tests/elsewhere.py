"""Processes of a test's own on its database, its folder and its Telnyx, to be killed at will."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
NURSERY = """
import os, sys, django
django.setup()
from recordings import fetch
from django.core.files.storage import default_storage
default_storage.exists  # loads its module, once for all children
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        try:
            fetch.fetch_due()
        finally:
            os._exit(0)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("over", flush=True)
"""


def environment(**more):
    """Return the environment of a desk that shares this test's rows and files."""
    told = {
        "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        "DATABASE_URL": address(),
        "TAPELINE_DATA": str(settings.MEDIA_ROOT.parent),
        "MEDIA_STORAGE": str(settings.MEDIA_ROOT),
        "TELNYX_API_KEY": settings.TELNYX_API_KEY,
        "TELNYX_BASE_URL": settings.TELNYX_BASE_URL,
        "TELNYX_MEDIA_ALLOW": ",".join(settings.TELNYX_MEDIA_ALLOW),
        "REDIS_URL": "",
    }
    return os.environ | told | more


def address():
    """Return the address of the test's database."""
    known = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{known['NAME']}"
    person = f"{known['USER']}:{known['PASSWORD']}" if known["PASSWORD"] else known["USER"]
    port = f":{known['PORT']}" if known["PORT"] else ""
    host = quote(known["HOST"], safe="")  # the folder of a socket has slashes
    return f"postgresql://{person}@{host}{port}/{known['NAME']}"


class Nursery:
    """Forks fetchers out of one process that has everything loaded."""

    def __init__(self, **more):
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            env=environment(**more),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def fetcher(self):
        """Start one; return its process id."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def bury(self):
        """Return when the one that was started has ended."""
        assert self.process.stdout.readline() == "over\n"

    def close(self):
        self.process.stdin.close()
        self.process.wait(10)
