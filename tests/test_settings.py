"""The environment is the only thing that differs between machines, and it is read strictly."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
KEY = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="  # nobody's
PRODUCTION = {
    "SECRET_KEY": "of-nobody-0123456789-abcdefghijklmnopqrstuvwxyz-ABCDEFG",
    "PUBLIC_URL": "https://desk.example",
    "TELNYX_API_KEY": "KEY0",
    "TELNYX_PUBLIC_KEYS": KEY,
    "TELNYX_CONNECTION_ID": "1",
}
SHOW = """
import json, django; django.setup()
from django.conf import settings
print(json.dumps({name: str(getattr(settings, name)) for name in %r}))
"""


@pytest.fixture
def python(tmp_path):
    """Run Python with nothing of ours in the environment but what the test gives."""

    def python(*arguments, **environment):
        bare = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        told = {
            "TAPELINE_DATA": str(tmp_path / "data"),
            "DJANGO_SETTINGS_MODULE": "dashboard.settings",
        }
        return subprocess.run(
            [sys.executable, *arguments],
            env=bare | told | environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )

    return python


@pytest.fixture
def settings_of(python):
    """Return settings as a process with this environment sees them."""

    def settings_of(*names, **environment):
        shown = python("-c", SHOW % (names,), **environment)
        assert shown.returncode == 0, shown.stderr
        return json.loads(shown.stdout)

    return settings_of


def test_a_bare_environment_starts(python, tmp_path):
    migrated = python("manage.py", "migrate", "-v0", "contenttypes")  # the least that makes it
    assert migrated.returncode == 0, migrated.stderr
    assert (tmp_path / "data" / "tapeline.sqlite3").exists()


def test_a_production_environment_passes_the_deploy_checks(python):
    checked = python("manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "TELNYX_PUBLIC_KEYS"])
def test_a_production_environment_that_lacks_a_key_fails_the_deploy_checks(python, name):
    environment = {key: value for key, value in PRODUCTION.items() if key != name}
    checked = python("manage.py", "check", "--deploy", "--fail-level", "WARNING", **environment)
    assert checked.returncode == 1
    assert name in checked.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "TELNYX_API_KEY", "TELNYX_PUBLIC_KEYS"])
def test_a_secret_may_come_from_a_file(settings_of, tmp_path, name):
    file = tmp_path / "secret"
    file.write_text(PRODUCTION[name] + "\n")
    assert settings_of(name, **{f"{name}_FILE": str(file)}) == {name: PRODUCTION[name]}


def test_a_value_wins_over_its_file(settings_of, tmp_path):
    told = {"TELNYX_API_KEY": "KEY1", "TELNYX_API_KEY_FILE": str(tmp_path / "missing")}
    assert settings_of("TELNYX_API_KEY", **told) == {"TELNYX_API_KEY": "KEY1"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("PUBLIC_URL", "desk.example"),
        ("PUBLIC_URL", "ftp://desk.example"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("COUNTRY", "Mars"),
        ("DATABASE_URL", "nonsense"),
        ("DATABASE_URL", "mongodb://127.0.0.1/calls"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("TELNYX_BASE_URL", "api.telnyx.com"),
        ("TELNYX_PUBLIC_KEYS", "not a key"),
        ("TELNYX_API_KEY", "not a key"),
        ("SECRET_KEY_FILE", "missing/file"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(python, name, value):
    started = python("manage.py", "check", **{name: value})
    assert started.returncode != 0
    assert re.search(rf"\b{name}(:| is| begins)", started.stderr)


def test_a_bad_address_does_not_spill_its_password(python):
    started = python("manage.py", "check", DATABASE_URL="mysql://desk:hunter2@127.0.0.1/desk")
    assert "DATABASE_URL begins with 'mysql'" in started.stderr
    assert "hunter2" not in started.stderr


def test_an_address_with_https_makes_cookies_and_redirects_secure(settings_of):
    names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "ALLOWED_HOSTS")
    assert settings_of(*names, PUBLIC_URL="https://desk.example") == {
        "SESSION_COOKIE_SECURE": "True",
        "CSRF_COOKIE_SECURE": "True",
        "SECURE_SSL_REDIRECT": "True",
        "ALLOWED_HOSTS": "['desk.example', '127.0.0.1', 'localhost', '[::1]']",
    }


def test_the_readme_lists_every_variable():
    read = set()
    for file in (ROOT / "dashboard").rglob("*.py"):
        read |= set(re.findall(r"env\.\w+\(\s*\"(\w+)\"", file.read_text()))
    listed = set(re.findall(r"^\| `(\w+)` \|", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert len(read) > 10
    assert read - listed == set()
