"""The door's guard, case by case, beside the verifier of Telnyx's own SDK."""

import base64
import hashlib

import pytest
from nacl.signing import SigningKey, VerifyKey
from telnyx.lib import webhook_verification as official

from calls.telnyx.signature import BadSignature, Reason, check, fingerprint, parse_keys

OURS = SigningKey(bytes(range(32)))
OTHER = SigningKey(bytes(range(1, 33)))
KEY = "A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg="
STAMP = b"1772463551"
NOW = 1772463551.0
BODY = b'{"data":{"event_type":"call.speak.started","id":"0ccc7b54"}}'


def signed(body=BODY, stamp=STAMP, by=OURS):
    signature = base64.b64encode(by.sign(stamp + b"|" + body).signature)
    return [(b"telnyx-timestamp", stamp), (b"telnyx-signature-ed25519", signature)]


def signature_of(headers):
    return headers[1][1]


def with_signature(signature):
    return [(b"telnyx-timestamp", STAMP), (b"telnyx-signature-ed25519", signature)]


def raw_signature():
    return base64.b64decode(signature_of(signed()))


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def url_safe_signature():
    for number in range(200):
        body = b"%d" % number
        signature = signature_of(signed(body))
        if b"+" in signature or b"/" in signature:
            return body, signature.replace(b"+", b"-").replace(b"/", b"_")
    raise AssertionError("no signature with + or / in 200")


def loose_bits():
    # the last letter before "==" carries four bits that say nothing
    good = signature_of(signed())
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    changed = alphabet[alphabet.index(good[85]) + 1]
    return good[:85] + bytes([changed]) + good[86:]


def full_width(digits):
    return "".join(chr(0xFF10 + digit - 48) for digit in digits).encode()


def shifted(seconds):
    return signed(stamp=b"%d" % (1772463551 + seconds))


GOOD = {
    "compact": (signed(), BODY),
    "other headers around": ([(b"host", b"a"), *signed(), (b"user-agent", b"telnyx")], BODY),
    "signature before timestamp": (signed()[::-1], BODY),
    "empty body": (signed(b""), b""),
    "body with bars": (signed(b"1772463551|x|y"), b"1772463551|x|y"),
    "odd spacing and a newline": (signed(b'{ "a" : 1 }\n'), b'{ "a" : 1 }\n'),
    "not UTF-8": (signed(b"\xff\xfe\x00"), b"\xff\xfe\x00"),
    "not JSON": (signed(b"hello"), b"hello"),
    "one megabyte": (signed(b"x" * 1_000_000), b"x" * 1_000_000),
    "exactly 300 s old": (shifted(-300), BODY),
    "exactly 300 s ahead": (shifted(300), BODY),
}

BAD = {
    "no headers": (Reason.MISSING, [], BODY),
    "no timestamp": (Reason.MISSING, signed()[1:], BODY),
    "no signature": (Reason.MISSING, signed()[:1], BODY),
    "two timestamps": (Reason.TWICE, [signed()[0], *signed()], BODY),
    "two different timestamps": (
        Reason.TWICE,
        [*signed(), (b"telnyx-timestamp", b"1772463552")],
        BODY,
    ),
    "two signatures": (Reason.TWICE, [*signed(), signed()[1]], BODY),
    "a second, empty signature": (
        Reason.TWICE,
        [*signed(), (b"telnyx-signature-ed25519", b"")],
        BODY,
    ),
    "upper-case header names": (
        Reason.MISSING,
        [(name.upper(), value) for name, value in signed()],
        BODY,
    ),
    "empty timestamp": (Reason.TIMESTAMP, signed(stamp=b""), BODY),
    "timestamp with a space before": (Reason.TIMESTAMP, signed(stamp=b" 1772463551"), BODY),
    "timestamp with a space inside": (Reason.TIMESTAMP, signed(stamp=b"177246 551"), BODY),
    "timestamp with a newline": (Reason.TIMESTAMP, signed(stamp=b"1772463551\n"), BODY),
    "timestamp with an underscore": (Reason.TIMESTAMP, signed(stamp=b"1_772463551"), BODY),
    "timestamp with a plus": (Reason.TIMESTAMP, signed(stamp=b"+1772463551"), BODY),
    "negative timestamp": (Reason.TIMESTAMP, signed(stamp=b"-177246355"), BODY),
    "timestamp with a point": (Reason.TIMESTAMP, signed(stamp=b"17724635.1"), BODY),
    "timestamp in milliseconds": (Reason.TIMESTAMP, signed(stamp=b"1772463551000"), BODY),
    "nine digits": (Reason.TIMESTAMP, signed(stamp=b"177246355"), BODY),
    "Arabic digits": (Reason.TIMESTAMP, signed(stamp="١٧٧٢٤٦٣٥٥١".encode()), BODY),
    "full-width digits": (Reason.TIMESTAMP, signed(stamp=full_width(STAMP)), BODY),
    "hexadecimal timestamp": (Reason.TIMESTAMP, signed(stamp=b"0x69a5a63f"), BODY),
    "a date": (Reason.TIMESTAMP, signed(stamp=b"2026-03-02"), BODY),
    "301 s old": (Reason.STALE, shifted(-301), BODY),
    "301 s ahead": (Reason.STALE, shifted(301), BODY),
    "of the year 2001": (Reason.STALE, signed(stamp=b"1000000000"), BODY),
    "the beginning of time": (Reason.STALE, signed(stamp=b"0000000000"), BODY),
    "signature empty": (Reason.ENCODING, with_signature(b""), BODY),
    "signature with junk letters": (
        Reason.ENCODING,
        with_signature(signature_of(signed())[:40] + b"\n!" + signature_of(signed())[40:]),
        BODY,
    ),
    "signature with spaces around": (
        Reason.ENCODING,
        with_signature(b" " + signature_of(signed()) + b" "),
        BODY,
    ),
    "signature without padding": (
        Reason.ENCODING,
        with_signature(signature_of(signed()).rstrip(b"=")),
        BODY,
    ),
    "signature with a third =": (
        Reason.ENCODING,
        with_signature(signature_of(signed()) + b"="),
        BODY,
    ),
    "signature with loose bits": (Reason.ENCODING, with_signature(loose_bits()), BODY),
    "signature in hexadecimal": (
        Reason.ENCODING,
        with_signature(raw_signature().hex().encode()),
        BODY,
    ),
    "signature in URL-safe letters": (
        Reason.ENCODING,
        with_signature(url_safe_signature()[1]),
        url_safe_signature()[0],
    ),
    "63 bytes": (Reason.ENCODING, with_signature(base64.b64encode(raw_signature()[:63])), BODY),
    "65 bytes": (
        Reason.ENCODING,
        with_signature(base64.b64encode(raw_signature() + b"\0")),
        BODY,
    ),
    "signature not ASCII": (Reason.ENCODING, with_signature("ä".encode() * 44), BODY),
    "signature prefixed as a standard webhook": (
        Reason.ENCODING,
        with_signature(b"v1a," + signature_of(signed())),
        BODY,
    ),
    "64 zero bytes": (Reason.MISMATCH, with_signature(base64.b64encode(bytes(64))), BODY),
    "signed with another key": (Reason.MISMATCH, signed(by=OTHER), BODY),
    "another body": (Reason.MISMATCH, signed(), BODY + b" "),
    "body cut short": (Reason.MISMATCH, signed(), BODY[:-1]),
    "body of another time": (Reason.MISMATCH, [shifted(1)[0], signed()[1]], BODY),
    "signed without the timestamp": (
        Reason.MISMATCH,
        with_signature(base64.b64encode(OURS.sign(BODY).signature)),
        BODY,
    ),
    "signed with a point instead of a bar": (
        Reason.MISMATCH,
        with_signature(base64.b64encode(OURS.sign(STAMP + b"." + BODY).signature)),
        BODY,
    ),
}


@pytest.fixture
def keys():
    return parse_keys(KEY)


@pytest.mark.parametrize("case", GOOD)
def test_what_telnyx_signed_is_accepted(case, keys):
    headers, body = GOOD[case]

    assert check(headers, body, keys=keys, now=NOW) == fingerprint(keys[0])


@pytest.mark.parametrize("case", BAD)
def test_everything_else_is_refused_for_its_reason(case, keys):
    reason, headers, body = BAD[case]

    with pytest.raises(BadSignature) as refusal:
        check(headers, body, keys=keys, now=NOW)

    assert refusal.value.reason == reason


def official_accepts(headers, body, monkeypatch):
    monkeypatch.setattr(official.time, "time", lambda: NOW)
    named = {name.decode(): value.decode("latin-1") for name, value in headers}
    try:
        official.verify_webhook_signature(body, named, KEY)
    except (official.WebhookVerificationError, UnicodeDecodeError):
        return False
    return True


@pytest.mark.parametrize("case", GOOD)
def test_the_sdk_accepts_what_we_accept(case, monkeypatch):
    headers, body = GOOD[case]

    # its one difference: a body that is not UTF-8 makes it raise
    assert official_accepts(headers, body, monkeypatch) is (case != "not UTF-8")


# What the SDK lets through although nobody at Telnyx would send it so.
LENIENT = {
    "two timestamps",  # a mapping holds only one
    "two signatures",
    "upper-case header names",  # a server hands them to us in lower case
    "timestamp with a space before",
    "timestamp with a newline",
    "timestamp with an underscore",
    "timestamp with a plus",
    "signature with junk letters",
    "signature with spaces around",
    "signature with a third =",
    "signature with loose bits",
}


@pytest.mark.parametrize("case", BAD)
def test_the_sdk_refuses_what_we_refuse_but_for_named_cases(case, monkeypatch):
    _, headers, body = BAD[case]

    accepted = official_accepts(headers, body, monkeypatch)

    assert accepted is (case in LENIENT)


def test_the_published_vectors_hold():
    vectors = {
        b'{"data":{"event_type":"call.speak.started","id":"0ccc7b54-4df3-4bca-a65a-3da1ecc777f0",'
        b'"record_type":"event"},"meta":{"attempt":1}}': "PM6LEa/7Dv9v2JLo33PLymqYmHfUbwWvDWM+pz"
        "NSlPFmgR9D3HnPt6WscEya/yJC3fVvw3nojNNGUCwpitKVAA==",
        '{ "data": {"note": "non-ascii ü ☎ and odd  spacing"} }\n'.encode(): "/bCoA5JD7nFwNiMRZvX"
        "cGAtVQZ/pjKlj9SlLFGGdK6rrSImFIhziKbzRpOzoNl+KAUnwVRPXSPrLTCTzChgmAA==",
        b"": "iwENnvDFSJYstK5vqeGF6uoEkbPbL24aWjqlHCYSr0Ip/XheXViT0nTjYfwjEOIIGJfgoENlci0wu/hzvhb"
        "MAQ==",
    }

    for body, signature in vectors.items():
        check(with_signature(signature.encode()), body, keys=parse_keys(KEY), now=NOW)


def test_no_flipped_bit_gets_through(keys):
    good, headers = raw_signature(), signed()
    forged = [(flipped(BODY, bit), signature_of(headers)) for bit in range(len(BODY) * 8)]
    forged += [(BODY, base64.b64encode(flipped(good, bit))) for bit in range(len(good) * 8)]

    reasons = set()
    for body, signature in forged:
        with pytest.raises(BadSignature) as refusal:
            check(with_signature(signature), body, keys=keys, now=NOW)
        reasons.add(refusal.value.reason)

    assert reasons == {Reason.MISMATCH}


def test_during_a_rotation_either_key_is_accepted_and_named():
    other = base64.b64encode(bytes(OTHER.verify_key)).decode()
    keys = parse_keys(f"{KEY}, {other}")

    names = {check(signed(by=by), BODY, keys=keys, now=NOW) for by in (OURS, OTHER)}

    assert names == {fingerprint(key) for key in keys}
    assert len(names) == 2


def test_a_retired_key_is_refused():
    keys = parse_keys(base64.b64encode(bytes(OTHER.verify_key)).decode())

    with pytest.raises(BadSignature, match="none of 1 public keys"):
        check(signed(), BODY, keys=keys, now=NOW)


def test_without_keys_nothing_is_accepted():
    with pytest.raises(BadSignature) as refusal:
        check(signed(), BODY, keys=[], now=NOW)

    assert refusal.value.reason == Reason.NO_KEYS


def test_half_a_second_past_the_window_is_stale(keys):
    with pytest.raises(BadSignature, match="300 s"):
        check(signed(), BODY, keys=keys, now=NOW + 300.5)


def test_the_refusal_names_the_age_and_the_limit(keys):
    with pytest.raises(BadSignature, match="412 s old, the limit is 300 s"):
        check(signed(), BODY, keys=keys, now=NOW + 412)
    with pytest.raises(BadSignature, match="412 s in the future, the limit is 300 s"):
        check(signed(), BODY, keys=keys, now=NOW - 412)


def test_the_window_can_be_narrowed(keys):
    check(signed(), BODY, keys=keys, now=NOW + 10, max_skew_s=10)
    with pytest.raises(BadSignature, match="the limit is 10 s"):
        check(signed(), BODY, keys=keys, now=NOW + 11, max_skew_s=10)


def test_a_fingerprint_is_the_beginning_of_the_keys_hash(keys):
    expected = hashlib.sha256(base64.b64decode(KEY)).hexdigest()[:8]

    assert fingerprint(keys[0]) == expected


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), (" , ", 0), (KEY, 1), (f"{KEY},", 1), (f"{KEY},{KEY}", 1), (f" {KEY}\n", 1)],
)
def test_a_list_of_keys_may_have_gaps_and_repeats(text, count):
    keys = parse_keys(text)

    assert keys == [VerifyKey(base64.b64decode(KEY))] * count


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("KEY0123456789ABCDEF_abcdef", "is not Base64"),
        (KEY[:-1], "is not Base64"),
        (base64.b64encode(bytes(31)).decode(), "has 31 bytes"),
        (base64.b64encode(bytes(33)).decode(), "has 33 bytes"),
        ("ключ", "is not Base64"),
    ],
)
def test_a_bad_key_is_named_by_its_place_and_never_quoted(bad, why):
    with pytest.raises(ValueError, match=f"^public key 2 {why}") as error:
        parse_keys(f"{KEY},{bad}")

    assert bad not in str(error.value)
