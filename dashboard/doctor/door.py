"""Checks of the way in: is PUBLIC_URL an address for Telnyx, and does it lead to our door?

What a knock proves: who answers there has this desk's SECRET_KEY, and body and signature headers
arrive byte for byte. What it does not: that Telnyx's network gets there; see Deliveries.
"""

import ipaddress
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils.crypto import constant_time_compare

from calls import knock
from calls.telnyx import api, signature
from dashboard.doctor import Finding, Level

PATH = "/webhooks/telnyx"
PATIENCE_S = (3.0, 5.0)


def url() -> str:
    """Return the address of our webhook door."""
    return f"{settings.PUBLIC_URL}{PATH}"


def address() -> Finding:
    """See whether Telnyx could know the way to PUBLIC_URL."""
    parts = urlsplit(settings.PUBLIC_URL)
    host = parts.hostname or ""
    if settings.TELNYX_BASE_URL != api.BASE_URL:
        text = f"{settings.PUBLIC_URL}; {settings.TELNYX_BASE_URL} stands in for Telnyx."
        return Finding(Level.OK, text)
    if _is_private(host):
        return Finding(
            Level.WRONG,
            f"PUBLIC_URL is {settings.PUBLIC_URL}, where Telnyx cannot come.",
            "Set PUBLIC_URL to the address that the internet knows this desk by, and restart.",
        )
    if parts.scheme != "https":
        return Finding(
            Level.WARNING,
            f"PUBLIC_URL is {settings.PUBLIC_URL}: calls are told over an open line.",
            "Put a proxy with HTTPS in front, set PUBLIC_URL to its https address, and restart.",
        )
    return Finding(Level.OK, settings.PUBLIC_URL)


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal"))


def reachable() -> Finding:
    """Knock at the public address, and see whether our own door answers."""
    sent = knock.headers()
    try:
        got = _knock(sent)
    except requests.exceptions.SSLError as exc:
        return Finding(
            Level.WRONG,
            f"The certificate of {url()} is not trusted: {exc.__class__.__name__}.",
            "Give the proxy a certificate of a known authority for this name; Telnyx checks it.",
        )
    except requests.RequestException as exc:
        return Finding(
            Level.UNKNOWN,
            f"{url()} cannot be reached from this machine ({type(exc).__name__}); Telnyx may.",
            "See that the web process and the proxy run and that the name leads here. Some"
            " networks let nobody come in from inside: then look at Deliveries.",
        )
    return _judge(got, sent)


def _knock(sent: dict[str, str]) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False
        return session.post(
            url(), data=knock.BODY, headers=sent, timeout=PATIENCE_S, allow_redirects=False
        )


def _judge(got: requests.Response, sent: dict[str, str]) -> Finding:
    proof = got.headers.get(knock.ANSWER.decode(), "")
    whole = knock.expected(
        sent[knock.KNOCK.decode()],
        sent[signature.TIMESTAMP.decode()],
        sent[signature.SIGNATURE.decode()],
        knock.BODY,
    )
    if got.is_redirect:
        return Finding(
            Level.WRONG,
            f"{url()} redirects to {got.headers.get('Location', '?')[:200]}.",
            "Set PUBLIC_URL to the address that answers itself, scheme and name included.",
        )
    if not proof and got.status_code == 401 and settings.SECRET_KEY.startswith("insecure-"):
        return Finding(
            Level.UNKNOWN,
            f"A door answers at {url()}; whether it is this desk's cannot be proved from here.",
            "Set SECRET_KEY as the desk's processes have it, or use the page Connect.",
        )
    if not proof:
        return Finding(
            Level.WRONG,
            f"Somebody else answers at {url()}, with status {got.status_code}.",
            "See that the proxy passes POST requests with their headers on to this desk, and that"
            " every process of it has the same SECRET_KEY.",
        )
    if not constant_time_compare(proof, whole):
        return Finding(
            Level.WRONG,
            "Our door answers, but what arrives there was changed on the way.",
            "Let the proxy leave body and headers of /webhooks/telnyx alone: signatures cover"
            " the exact bytes.",
        )
    if got.status_code == 503:
        text = "Our door answers and has no public key: it takes no webhook."
        return Finding(Level.WRONG, text, "See Public keys.")
    return Finding(
        Level.OK,
        f"{url()} leads to this desk, byte for byte, as seen from this machine; an unsigned"
        " request was refused.",
    )
