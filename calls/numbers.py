"""Phone numbers as people write them, and the numbers that are ours."""

import re
from collections import Counter
from functools import lru_cache

import phonenumbers
from django.conf import settings

from calls.clocks import NOTHING
from calls.models import Call
from calls.parties import ours

LOOKED_AT = 500  # of the newest legs: a line that took no call among them is not offered
OFFERED = 20
WITHHELD = {"anonymous", "restricted", "private", "unavailable", "unknown", "withheld"}
SIP_LONGEST = 32


def read(written: str, *, like: str = "") -> str:
    """Return +E.164 for a number in any spelling; anything else comes back as it was written.

    A number without its country is one of COUNTRY, else of the country of the number `like`.
    """
    number, comma, keys = written.strip().partition(",")
    if "@" in number or number.lower().startswith(("sip:", "sips:")):
        return written.strip()
    try:
        found = phonenumbers.parse(number, settings.COUNTRY or _country(like))
    except phonenumbers.NumberParseException:
        return written.strip()
    if not phonenumbers.is_possible_number(found) or found.extension:
        return written.strip()
    return phonenumbers.format_number(found, phonenumbers.PhoneNumberFormat.E164) + comma + keys


@lru_cache(4096)
def written(number: str) -> str:
    """Write a number with spaces, a SIP address short, and say when the caller withheld it."""
    if not number:
        return NOTHING
    if number.lower().removeprefix("sip:").removeprefix("+").split("@")[0] in WITHHELD:
        return "Withheld"
    if number.startswith("+"):
        try:
            found = phonenumbers.parse(number)
        except phonenumbers.NumberParseException:
            return number
        shape = phonenumbers.PhoneNumberFormat.INTERNATIONAL
        return re.sub(r"[-/.() ]+", " ", phonenumbers.format_number(found, shape))
    address = number.removeprefix("sip:")
    if len(address) > SIP_LONGEST:
        half = SIP_LONGEST // 2
        return f"{address[:half]}…{address[-half + 1 :]}"
    return address


def _country(like: str) -> str | None:
    try:
        number = phonenumbers.parse(like)
    except phonenumbers.NumberParseException:
        return None
    return phonenumbers.region_code_for_country_code(number.country_code or 0)


def own() -> list[str]:
    """Return the numbers that lately took or made calls for us, the busiest first; one query."""
    newest = Call.objects.talking().order_by("-first_heard_at")
    legs = newest.only("direction", "from_number", "to_number")[:LOOKED_AT]
    lines = Counter(ours(leg) for leg in legs if ours(leg).startswith("+"))
    return [line for line, _ in lines.most_common(OFFERED)]
