"""A data folder with all tables and the collected static files, made once for a whole run."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from atexit import register
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = "TAPELINE_TEST_READY"
"""The variable that names the folder which all processes of a run share."""

PREPARE = """
import django
django.setup()
from dashboard import prepare
prepare.migrate()
prepare.collect_static()
"""


@cache
def ready():
    """Return the folder; make it, should nobody have yet."""
    if shared := os.environ.get(SHARED):
        folder = Path(shared)
    else:
        folder = Path(tempfile.mkdtemp(prefix="tapeline-ready-"))
        register(shutil.rmtree, folder, ignore_errors=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "is-ready").exists():
            _make(folder)
            (folder / "is-ready").touch()
    return folder


def _make(folder):
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    told = {"DJANGO_SETTINGS_MODULE": "dashboard.settings", "SECRET_KEY": "nobody's"}
    told |= {"TAPELINE_DATA": str(folder)}
    command = [sys.executable, "-c", PREPARE]
    made = subprocess.run(command, cwd=ROOT, env=kept | told, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr


def copy_tables(database):
    """Make a SQLite database that has all tables and no rows but those of the migrations."""
    shutil.copyfile(ready() / "tapeline.sqlite3", database)


def prepare(data):
    """Spare a desk the seconds in which it makes its tables and collects its static files."""
    copy_tables(Path(data) / "tapeline.sqlite3")
    shutil.copytree(ready() / "static", Path(data) / "static")
