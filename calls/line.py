"""The one line to Telnyx of this process, made from the settings."""

from functools import cache

from django.conf import settings

from calls.telnyx.api import Telnyx


@cache
def telnyx() -> Telnyx:
    """Return the client; it is safe to share between threads."""
    return Telnyx(api_key=settings.TELNYX_API_KEY, base_url=settings.TELNYX_BASE_URL)
