"""What keeps a text from being a certain kind of text: each check says it, or "".

The answer has no subject: the caller puts the field's name before it.
"""

import base64
import re
from urllib.parse import urlsplit

from calls.telnyx.values import REPLACEMENT, UNSTORABLE

NUMBER = re.compile(r"\+[1-9][0-9]{4,14}")  # E.164; shorter ones are no public numbers
DIGITS = re.compile(r"[0-9A-DwW*#]{1,64}")
SIP = re.compile(r"sips?:[^\s@:;,]+@[^\s@;,]+(;[^\s@,;]+)*", re.IGNORECASE)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}")


def shown(value: object) -> str:
    """Return a value for a message: quoted if a text, and never long."""
    text = f'"{value}"' if isinstance(value, str) else str(value)
    text = UNSTORABLE.sub(REPLACEMENT, text)
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"


def base64_text(value: str) -> str:
    """Say what keeps a text from being Base64."""
    try:
        base64.b64decode(value, validate=True)
    except ValueError:
        return "is not Base64"
    return ""


def web_address(value: str) -> str:
    """Say what keeps a text from being a web address that Telnyx can fetch."""
    return _url_fault(value, ("http", "https"))


def socket_address(value: str) -> str:
    """Say what keeps a text from being a WebSocket address."""
    return _url_fault(value, ("ws", "wss"))


def uuid(value: str) -> str:
    """Say what keeps a text from being a UUID."""
    return "" if UUID.fullmatch(value) else f"is {shown(value)}, not a UUID"


def address(value: str) -> str:
    """Say what keeps a text from being a phone number or SIP address."""
    if NUMBER.fullmatch(value) or SIP.fullmatch(value):
        return ""
    return f"is {shown(value)}, neither a number as +18005550100 nor a SIP address as sip:a@b.c"


def digits(value: str) -> str:
    """Say what keeps a text from being keys to press."""
    if DIGITS.fullmatch(value):
        return ""
    return f"is {shown(value)}, it may have up to 64 of 0-9 A-D * # and w or W to wait"


def header_name(value: str) -> str:
    """Say what keeps a text from being a SIP header's name."""
    return "" if HEADER.fullmatch(value) else f"is {shown(value)}, no name of a header"


def display_name(value: str) -> str:
    """Say what keeps a text from being a caller's name."""
    if all(sign.isalnum() or sign in " -_~!.+" for sign in value):
        return ""
    return "may have letters, digits, spaces and - _ ~ ! . + only"


def hangup_reason(value: str) -> str:
    """Say what keeps a text from being a SIP reason."""
    if any(sign in '"\\' or ord(sign) > 0xFFFF for sign in value):
        return "may not have a double quote, a backslash or an emoji"
    return ""


def address_and_digits(value: str) -> str:
    """Say what keeps a text from being a destination, with or without ",digits" after it."""
    number, comma, keys = value.partition(",")
    return address(number) or (digits(keys) if comma else "")


def _url_fault(value: str, schemes: tuple[str, ...]) -> str:
    try:
        url = urlsplit(value)
        _ = url.port  # urlsplit judges it only when asked
    except ValueError:
        return f"is {shown(value)}, no web address"
    if url.scheme not in schemes:
        return f"is {shown(value)}, it must start with {schemes[1]}:// or {schemes[0]}://"
    if url.username is not None or url.password is not None:
        return "holds a user name or password, which Telnyx would log"
    if not url.hostname or re.search(r"\s", value):
        return f"is {shown(value)}, it names no host" if not url.hostname else "has a space in it"
    return ""
