"""Settings from the environment: every NAME may also come from the file that NAME_FILE names."""

import os
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import phonenumbers
from django.core.exceptions import ImproperlyConfigured

TRUE, FALSE = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}


def text(name: str, default: str = "") -> str:
    """Return the value of NAME, else the content of the file in NAME_FILE, else the default."""
    if name in os.environ:
        return os.environ[name].strip()
    path = os.environ.get(f"{name}_FILE")
    if path is None:
        return default
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise ImproperlyConfigured(
            f"{name}_FILE is {path!r}, which cannot be read: {exc}"
        ) from exc


def flag(name: str, *, default: bool = False) -> bool:
    """Return a yes or no. Raises ImproperlyConfigured for any other word."""
    value = text(name, "1" if default else "0").lower()
    if value in TRUE | FALSE:
        return value in TRUE
    raise ImproperlyConfigured(f"{name} is {value!r}; it must be 1 or 0")


def words(name: str) -> list[str]:
    """Return the comma-separated values of NAME, without empty ones."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def whole(name: str, default: int, *, least: int, most: int) -> int:
    """Return a whole number. Raises ImproperlyConfigured for anything else, or out of bounds."""
    value = text(name, str(default))
    if value.isascii() and value.isdecimal() and len(value) < 10 and least <= int(value) <= most:
        return int(value)
    raise ImproperlyConfigured(
        f"{name} is {value!r}; it must be a whole number from {least} to {most}"
    )


def url(name: str, default: str, *schemes: str) -> str:
    """Return an address, or nothing. Raises ImproperlyConfigured for one of another scheme."""
    value = text(name, default)
    scheme = urlsplit(value).scheme if "://" in value else ""
    if value and scheme not in schemes:  # an address may hold a password: do not repeat it
        raise ImproperlyConfigured(
            f"{name} begins with {scheme!r}; it must begin with {'://, '.join(schemes)}://"
        )
    return value


def country(name: str) -> str:
    """Return a country's two letters, or nothing. Raises ImproperlyConfigured for others."""
    value = text(name).upper()
    if value and value not in phonenumbers.SUPPORTED_REGIONS:
        raise ImproperlyConfigured(
            f"{name} is {value!r}; it must be the two letters of a country, as DE"
        )
    return value


def zone(name: str) -> str:
    """Return the name of a time zone. Raises ImproperlyConfigured for an unknown one."""
    value = text(name, "UTC")
    try:
        ZoneInfo(value)
    except (KeyError, OSError, ValueError) as exc:
        raise ImproperlyConfigured(f"{name} is {value!r}, which is no known time zone") from exc
    return value
