"""System checks: what would make a desk unsafe or deaf, said before it starts."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register

from calls.telnyx.api import Telnyx
from calls.telnyx.signature import parse_keys


@register(Tags.security, deploy=True)
def secret_key_is_set(**kwargs: Any) -> list[CheckMessage]:
    """Refuse a production start with a key that nobody chose."""
    if settings.SECRET_KEY.startswith("insecure-"):
        return [
            Error(
                "SECRET_KEY is not set.",
                hint="Set SECRET_KEY, or SECRET_KEY_FILE, to 50 random characters.",
                id="tapeline.E001",
            )
        ]
    return []


@register(Tags.security)
def telnyx_can_be_asked(**kwargs: Any) -> list[CheckMessage]:
    """Refuse an API key or an address that no request could be made with."""
    if not settings.TELNYX_API_KEY:
        return []
    try:
        Telnyx(api_key=settings.TELNYX_API_KEY, base_url=settings.TELNYX_BASE_URL).close()
    except ValueError as exc:
        return [Error(f"TELNYX_BASE_URL, TELNYX_API_KEY: {exc}.", id="tapeline.E003")]
    return []


@register(Tags.security)
def public_keys_are_keys(**kwargs: Any) -> list[CheckMessage]:
    """Refuse keys that cannot verify anything."""
    try:
        keys = parse_keys(settings.TELNYX_PUBLIC_KEYS)
    except ValueError as exc:
        return [Error(f"TELNYX_PUBLIC_KEYS: {exc}.", id="tapeline.E002")]
    if not keys:
        return [
            Warning(
                "TELNYX_PUBLIC_KEYS is empty: the webhook door answers 503.",
                hint="Copy the public key from the Telnyx portal, API keys, Public key.",
                id="tapeline.W001",
            )
        ]
    return []
