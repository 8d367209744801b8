"""The demo: its own signing key, three people, and settings that point at the simulator."""

import base64
import json
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, transaction
from nacl.signing import SigningKey

from access.policies import Role
from dashboard import folder

PEOPLE = (("sam", Role.SUPERVISOR), ("lee", Role.REVIEWER), ("olga", Role.OPERATOR))
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that are mistaken for another
CONNECTION_ID = "2684641123236054244"  # the simulator's


def signing_key(file: Path) -> SigningKey:
    """Return the key that signs the simulator's webhooks, made once: Base64 of its seed."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        folder.write(file, base64.b64encode(SigningKey.generate().encode()).decode() + "\n")
    return SigningKey(base64.b64decode(file.read_text()))


def environment(simulator: str, key: SigningKey, api_key: str) -> dict[str, str]:
    """Return what makes a desk talk to the simulator and trust it."""
    public = base64.b64encode(key.verify_key.encode()).decode()
    given = settings.TELNYX_PUBLIC_KEYS
    return {
        "DEBUG": "0",
        "TELNYX_API_KEY": api_key,
        "TELNYX_BASE_URL": f"{simulator}/v2",
        "TELNYX_CONNECTION_ID": settings.TELNYX_CONNECTION_ID or CONNECTION_ID,
        "TELNYX_PUBLIC_KEYS": f"{given},{public}" if given else public,
        "TELNYX_MEDIA_ALLOW": f"{simulator}/telephony-recorder-prod/",
        "PRACTICE_CALLS_URL": f"{simulator}/_simulator/calls",
    }


def simulator_command(port: int, web: str, data: Path, key_file: Path, api_key: str) -> list[str]:
    """Return the arguments of the stand-in for Telnyx.

    Without a seed: the same one again would repeat the ids of the calls that the desk knows.
    """
    return [
        *("-m", "simulator", "--port", str(port), "--webhook-url", f"{web}/webhooks/telnyx"),
        *("--data", str(data / "simulator"), "--signing-key-file", str(key_file)),
        *("--api-key", api_key),
    ]


def has_strangers() -> bool:
    """Say whether the database already has people; there, a demo would mix with real work."""
    try:
        return User.objects.exclude(username__in=[name for name, _ in PEOPLE]).exists()
    except DatabaseError:  # no tables yet
        return False


def people(file: Path) -> list[dict[str, str]]:
    """Make sure that the demo's people can sign in with the passwords kept in the file."""
    kept = json.loads(file.read_text()) if file.exists() else {}
    for name, role in PEOPLE:
        user = User.objects.filter(username=name).first()
        entry = kept.setdefault(name, {"password": _password()})
        if user is None or user.password != entry.get("hash"):
            entry["hash"] = _make(name, role, entry["password"]).password
    file.parent.mkdir(parents=True, exist_ok=True)
    folder.write(file, json.dumps(kept))
    return [
        {"username": name, "password": kept[name]["password"], "role": role.value}
        for name, role in PEOPLE
    ]


@transaction.atomic
def _make(name: str, role: Role, password: str) -> User:
    user = User.objects.filter(username=name).first() or User(username=name)
    user.first_name, user.is_active = name.title(), True
    user.is_staff = role is Role.OPERATOR
    user.set_password(password)
    user.save()
    user.groups.set([Group.objects.get_or_create(name=role.value)[0]])  # somebody may delete one
    return user


def _password() -> str:
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(5)) for _ in range(3))
