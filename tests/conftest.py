"""The people, the signed post, a key of our own. sam supervises, lee listens, max may nothing."""

import base64
import gc
import json
import os
import subprocess
import sys
import time
import uuid
from functools import cache
from pathlib import Path

import pytest
import requests
from django.contrib.auth.models import Group, User
from django.db import connection, transaction
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings
from nacl.signing import SigningKey

from calls import contacts, events, intake, passing, recall, ring, rules
from calls.line import telnyx
from tests import passes, ready
from tests.buckets import bucket, place, s3  # noqa: F401  (fixtures)

pytest_plugins = ["tests.stage"]

# How quickly an example is drawn or run tells of a busy machine, not of the code under test.
slow = [HealthCheck.too_slow]
settings.register_profile("any machine", deadline=None, suppress_health_check=slow)
settings.load_profile("any machine")

LONG = (
    *("test_fetch_kills", "test_truth", "test_alignment", "test_run", "test_asgi", "test_faults"),
    *("test_settings", "test_holdings", "test_timing", "test_guard"),
)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Spare the garbage collector what stays until the end: every module and every test."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(50_000, 20, 100)  # 4 % of everything, for 50 MB
        gc.enable()


def pytest_collection_modifyitems(config, items):
    """Begin with the files that take longest, so that no process of the suite ends alone.

    What the second pass leaves out, passes.py says.
    """
    items.sort(
        key=lambda item: (item.get_closest_marker("journey") is None, item.path.stem not in LONG)
    )
    if passes.IS_FIRST:
        return
    again = [item for item in items if passes.is_again(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in again])
    items[:] = again


@pytest.fixture(scope="session")
def django_db_keepdb(django_db_keepdb, django_db_modify_db_settings):
    """In a run of everything, begin with a copy: 42 migrations take seconds."""
    if connection.vendor == "sqlite" and ready.SHARED in os.environ:
        ready.copy_tables(connection.settings_dict["TEST"]["NAME"])
        return True
    return django_db_keepdb


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup):
    """Have a test that commits delete its few rows: truncating 53 tables takes 20 times that."""
    TransactionTestCase._fixture_teardown = lambda case: delete_rows()


@cache
def tables():
    """Return the tables, but for the content types, which flush would make anew."""
    names = connection.introspection.django_table_names(only_existing=True)
    return [connection.ops.quote_name(it) for it in names if it != "django_content_type"]


def delete_rows():
    """Empty the tables."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(f'EXISTS (SELECT 1 FROM {it})' for it in tables())}")
        filled = [it for it, has_rows in zip(tables(), cursor.fetchone(), strict=True) if has_rows]
        with transaction.atomic():  # a reference is looked at when it ends
            for table in filled:
                cursor.execute(f"DELETE FROM {table}")


PAYLOADS = Path(__file__).parent / "payloads"
KEY = SigningKey(bytes(range(32)))
OTHER_KEY = SigningKey(bytes(range(1, 33)))


def public(key):
    return base64.b64encode(bytes(key.verify_key)).decode()


def signed(body, *, key=KEY, at=None):
    """Return the headers with which Telnyx would post this body."""
    stamp = str(int(time.time() if at is None else at)).encode()
    signature = base64.b64encode(key.sign(stamp + b"|" + body).signature)
    return {
        "telnyx-timestamp": stamp.decode(),
        "telnyx-signature-ed25519": signature.decode(),
    }


def payload(name, **changes):
    """Return the body of payloads/<name>.json with some of its payload changed."""
    body = json.loads((PAYLOADS / f"{name}.json").read_text())
    for field in ("id", "occurred_at"):
        if field in changes:
            body["data"][field] = changes.pop(field)
    body["data"]["payload"].update(changes)
    return body


def leg(**ids):
    """Return the ids of a call leg that no other test knows."""
    return {
        "call_leg_id": str(uuid.uuid4()),
        "call_session_id": str(uuid.uuid4()),
        "call_control_id": f"v3:{uuid.uuid4()}",
    } | ids


def forget():
    """Let this process remember nothing of the test before."""
    intake.keys.cache_clear()
    passing.is_wanted.forget()
    rules.are_any.forget()
    recall.forget()
    contacts.look_again()
    telnyx.cache_clear()


@pytest.fixture(autouse=True)
def _settings(settings, tmp_path):
    settings.TELNYX_PUBLIC_KEYS = public(KEY)
    settings.TELNYX_API_KEY = "KEY-test"
    settings.TELNYX_BASE_URL = "http://127.0.0.1:9/v2"  # nobody listens there
    settings.REDIS_URL = ""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast
    settings.EMAIL_URL = ""
    settings.MEDIA_ROOT = tmp_path / "media"
    forget()
    yield
    forget()
    ring._ringer = None  # tests lose many a broker


@pytest.fixture
def post(client):
    """Post a signed body through the webhook URL; return the answer."""

    def post(body, **signing):
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return client.post(
            "/webhooks/telnyx",
            data=raw,
            content_type="application/json",
            headers=signed(raw, **signing),
        )

    return post


@pytest.fixture
def deliver(post):
    """Deliver payloads/<name>.json as a new event and apply what is due."""

    def deliver(name, **changes):
        changes.setdefault("id", str(uuid.uuid4()))
        answer = post(payload(name, **changes))
        events.apply_due()
        return answer

    return deliver


def person(name, *roles, **more):
    user = User.objects.create_user(name, password="a long enough password", **more)
    user.groups.set(Group.objects.get_or_create(name=role)[0] for role in roles)
    return user


@pytest.fixture
def sam(db):
    return person("sam", "supervisor")


@pytest.fixture
def lee(db):
    return person("lee", "reviewer")


@pytest.fixture
def max(db):
    return person("max")


@pytest.fixture
def olga(db):
    return person("olga", "operator", is_staff=True)


class Simulator:
    """A simulator in a process of its own, with a world in which nothing happens by itself."""

    api_key = "KEY-test"

    def __init__(self, folder, webhook_url="http://127.0.0.1:9/"):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "simulator", "--port", "0", "--seed", "7"),
                *("--quiet-world", "--api-key", self.api_key, "--data", str(folder)),
                *("--webhook-url", webhook_url),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = self.process.stdout.readline().split()[-1]

    def lever(self, method, path, json=None):
        answer = requests.request(method, f"{self.url}/_simulator/{path}", json=json, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def call(self, *, talk=False, **more):
        numbers = {"from": "+13125550101", "to": "+18005550100"}
        return self.lever("POST", "calls", {**numbers, "talk": talk, **more})

    def effects(self, ids):
        """Return the actions that took effect on a leg, in the order in which they came."""
        return [
            row["action"]
            for row in self.lever("GET", "commands")["commands"]
            if row["call_control_id"] == ids["call_control_id"] and row["took_effect"]
        ]

    def fault(self, **fault):
        self.lever("POST", "faults", {"routes": [fault]})


@pytest.fixture(scope="session")
def _simulator(tmp_path_factory):
    simulator = Simulator(tmp_path_factory.mktemp("simulator"))
    yield simulator
    simulator.process.terminate()
    simulator.process.wait(10)


@pytest.fixture
def simulator(_simulator, settings):
    """Telnyx, as far as the desk can see, without faults and with its levers at rest."""
    _simulator.lever("DELETE", "faults")
    settings.TELNYX_BASE_URL = f"{_simulator.url}/v2"
    telnyx.cache_clear()
    return _simulator
