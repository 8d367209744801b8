"""The whole suite on both databases: python -m tests.everywhere [arguments for pytest]

SQLite, with the browser journeys, and beside it PostgreSQL, without them, for journeys wait a lot
-> what either said -> both summaries, failures last
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, nullcontext
from pathlib import Path

from dashboard.postgres import QUICK, lend
from tests.ready import SHARED

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIDE_BY_SIDE = ("-n", "2", "--dist", "loadfile", "--no-loadscope-reorder")
OURS = (
    *("TELNYX_", "DATABASE_URL", "REDIS_URL", "TAPELINE_DATA", "MEDIA_STORAGE", "SECRET_KEY"),
    *(
        "AWS_",
        "S3_",
        "EMAIL_",
        "PUBLIC_URL",
        "ALLOWED_HOSTS",
        "TIME_ZONE",
        "DEBUG",
        "METRICS_TOKEN",
        "PORT",
    ),
    "PYTHONDONTWRITEBYTECODE",  # else hundreds of processes compile every module anew
)


def main(arguments):
    """Run both passes; return the worse exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server below is ended
    given = os.environ.get("DATABASE_URL", "")
    lent = nullcontext(given) if given.startswith("postgres") else lend(*QUICK)
    with ExitStack() as stack:
        ready = stack.enter_context(tempfile.TemporaryDirectory(prefix="tapeline-ready-"))
        shared = {SHARED: ready}
        first = stack.enter_context(Pass("SQLite", [*arguments, "-m", "not long"], shared))
        shared = shared | {"DATABASE_URL": stack.enter_context(lent)}
        arguments = [*arguments, "-m", "not journey and not long"]
        # The journeys go by the clock, so the others give way.
        second = stack.enter_context(Pass("PostgreSQL", arguments, shared, nice="5"))
        results = [first.tell(), second.tell()]
    if not any(map(shutil.which, BROWSERS)):
        say("\nNO CHROMIUM: the browser journeys were SKIPPED (apt-get install chromium)")
    for code, name, summary in sorted(results):
        say(f"\n{name}{'' if code == 0 else ': FAILED'}\n{summary}")
    return max(code for code, *_ in results)


def say(text, end="\n"):
    """Print at once, so that the lines of pytest and ours stay in order."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


class Pass:
    """One run of pytest in the background, without our own settings."""

    def __init__(self, name, arguments, environment, nice="0"):
        self.name = name
        pytest = [sys.executable, "-m", "pytest", *SIDE_BY_SIDE, *arguments]
        self.command = ["nice", "-n", nice, *pytest]
        clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
        self.environment = clean | environment

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="tapeline-test-")
        Path(self.folder.name, "static").mkdir()  # else WhiteNoise warns in every test
        self.said = Path(self.folder.name, "said")
        with self.said.open("wb") as out:
            environment = self.environment | {"TAPELINE_DATA": self.folder.name}
            self.pytest = subprocess.Popen(self.command, env=environment, stdout=out)
        return self

    def __exit__(self, *_):
        if self.pytest.poll() is None:  # we were asked to stop
            self.pytest.terminate()
        self.pytest.wait()
        self.folder.cleanup()

    def tell(self):
        """Print what it says until it ends; return exit code, name and last line."""
        say(f"\n{self.name}")
        summary = ""
        with self.said.open(encoding="utf-8", errors="replace") as out:
            is_over = False
            while not is_over:
                is_over = self.pytest.poll() is not None
                for part in iter(out.read, ""):
                    say(part, end="")
                    summary = f"{summary}{part}"[-1000:]
                time.sleep(0.2)
        return self.pytest.returncode, self.name, summary.strip().rpartition("\n")[2]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
