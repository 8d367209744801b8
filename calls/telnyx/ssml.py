"""SSML before Telnyx sees it: well-formed XML, <speak> at the root, tags that a voice may know.

    fault(text) -> "has <blink> in line 1, column 9, ...", or ""

Telnyx hands SSML to the voice's provider. The tags are those that Telnyx's page on SSML and Amazon
Polly's list name; other providers take fewer or others (assumed). Source: docs/telnyx.md#ssml
"""

from collections.abc import Mapping
from xml.parsers import expat

TAGS = (
    "speak",
    "break",
    "emphasis",
    "lang",
    "mark",
    "p",
    "phoneme",
    "prosody",
    "s",
    "say-as",
    "sub",
    "w",
    "amazon:auto-breaths",
    "amazon:breath",
    "amazon:domain",
    "amazon:effect",
)
ELSEWHERE = ("audio", "voice", "mstts:express-as")  # Azure's (assumed); Polly refuses them
ENTITIES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})


class Stopped(Exception):
    """Ends the parsing at the first thing that no voice would take."""


def escape(value: str) -> str:
    """Return a text that stands for itself within SSML."""
    return value.translate(ENTITIES)


def fault(value: str, *, voice: str = "") -> str:
    """Say what keeps a text from being SSML for a voice, and where; "" if nothing does."""
    parser = expat.ParserCreate()
    known = TAGS if is_polly(voice) else (*TAGS, *ELSEWHERE)
    depth = 0

    def here() -> str:
        return f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"

    def start(tag: str, _: Mapping[str, str]) -> None:
        nonlocal depth
        if not depth and tag != "speak":
            raise Stopped(f"starts with <{tag[:40]}>, SSML starts with <speak>")
        if depth and tag == "speak":
            raise Stopped(f"has a second <speak> in {here()}")
        if tag not in known:
            raise Stopped(f"has <{tag[:40]}> in {here()}; the tags are {', '.join(known)}")
        depth += 1

    def refuse_doctype(*_: object) -> None:
        raise Stopped("has a DOCTYPE, which SSML does not need")

    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = refuse_doctype
    try:
        parser.Parse(value, True)
    except expat.ExpatError as exc:
        said = f"{expat.ErrorString(exc.code)}, line {exc.lineno}, column {exc.offset + 1}"
        return f"is not well-formed SSML: {said}"
    except Stopped as exc:
        return str(exc)
    return ""


def is_polly(voice: str) -> bool:
    """Say whether a voice is one of Amazon Polly's, whose tags are known."""
    return voice.startswith(("AWS.", "Polly.", "aws."))
