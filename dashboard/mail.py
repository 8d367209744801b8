"""How mail leaves the desk, out of the environment: EMAIL_URL, or none is sent.

smtp://host:25    smtp+tls://user:password@host:587 (STARTTLS)    smtps://user:password@host:465
"""

from typing import Any
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from dashboard import env

PORTS = {"smtp": 25, "smtp+tls": 587, "smtps": 465}


def read(host: str) -> dict[str, Any]:
    """Return Django's mail settings, and ours. Raises ImproperlyConfigured.

    `host` is the desk's, for the sender's address when EMAIL_FROM names none.
    """
    url = env.url("EMAIL_URL", "", *PORTS)
    sender = env.text("EMAIL_FROM") or f"tapeline@{host}"
    if "@" not in sender or "\n" in sender:
        raise ImproperlyConfigured(f"EMAIL_FROM is {sender!r}; it must look like desk@example.com")
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError as exc:
        raise ImproperlyConfigured("EMAIL_URL names a port that is no number") from exc
    if url and not parts.hostname:
        raise ImproperlyConfigured("EMAIL_URL names no host; it must look like smtp://host:25")
    return {
        "EMAIL_URL": url,
        "DEFAULT_FROM_EMAIL": sender,
        "EMAIL_HOST": parts.hostname or "localhost",
        "EMAIL_PORT": port or PORTS.get(parts.scheme, 25),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_TLS": parts.scheme == "smtp+tls",
        "EMAIL_USE_SSL": parts.scheme == "smtps",
    }
