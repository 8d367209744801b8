"""The whole suite on both databases: python -m tests.everywhere [arguments for pytest]

SQLite, with the browser journeys -> PostgreSQL, without them -> both summaries, failures last
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from dashboard.postgres import QUICK, lend

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIDE_BY_SIDE = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")  # journeys wait a lot
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
    results = [run("SQLite", [*arguments, "-m", "not long"], {})]
    lent = nullcontext(given) if given.startswith("postgres") else lend(*QUICK)
    with lent as url:
        arguments = [*arguments, "-m", "not journey and not long"]
        results.append(run("PostgreSQL", arguments, {"DATABASE_URL": url}))
    if not any(map(shutil.which, BROWSERS)):
        say("\nNO CHROMIUM: the browser journeys were SKIPPED (apt-get install chromium)")
    for code, name, summary in sorted(results):
        say(f"\n{name}{'' if code == 0 else ': FAILED'}\n{summary}")
    return max(code for code, *_ in results)


def say(text, end="\n"):
    """Print at once, so that the lines of pytest and ours stay in order."""
    sys.stdout.write(text + end)
    sys.stdout.flush()


def run(name, arguments, environment):
    """Run pytest once, without our own settings; return exit code, name and last line."""
    say(f"\n{name}")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    command = [sys.executable, "-m", "pytest", *SIDE_BY_SIDE, *arguments]
    summary = ""
    with tempfile.TemporaryDirectory(prefix="tapeline-test-") as data:
        Path(data, "static").mkdir()  # else WhiteNoise warns in every test
        environment = clean | {"TAPELINE_DATA": data} | environment
        pytest = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        try:
            for line in pytest.stdout:
                say(line, end="")
                summary = line.strip() or summary
        except BaseException:  # we were asked to stop
            pytest.terminate()
            raise
    return pytest.wait(), name, summary


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
