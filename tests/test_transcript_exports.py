"""What was said, as files, compared to the byte with files that people read: tests/golden."""

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from tests.said import STARTED, caption, make, row, say, timed, url

pytestmark = pytest.mark.django_db

GOLDEN = Path(__file__).parent / "golden"
KINDS = ["txt", "vtt", "srt", "json"]
ID = UUID("00000000-0000-4000-8000-000000000001")


@pytest.fixture
def reader(client, lee):
    client.force_login(lee)
    return client


def get(reader, recording, kind):
    return reader.get(url("transcript", recording, kind))


def aligned():
    """Return a recording with sentences that were found, doubtful ones, and one that was not."""
    recording = make(id=ID, recording_id="rec-1")
    timed(
        recording,
        row(
            "Hello, <b>who</b> is there?",
            1200,
            2950,
            words=[
                ["Hello,", 1200, 1600],
                ["<b>who</b>", None, None],
                ["is", 2000, 2200],
                ["there?", 2300, 2950],
            ],
            channel=1,
        ),
        row("It's me & nobody --> else.", 3_400, 5_000, confidence=0.4),
        row("Mumble mumble.", words=[["Mumble", None, None], ["mumble.", None, None]]),
        row("Grüß Gott, 12 €.", 3_723_004, 3_724_000, channel=None),
        language="en-US",
    )
    return recording


def told():
    """Return a recording that has nothing but live captions."""
    recording = make(id=ID, recording_id="rec-1", ended_at=STARTED + timedelta(seconds=90))
    recording.duration_ms = 90_000
    recording.save(update_fields=["duration_ms"])
    caption(recording, "Good <i>morning</i> & welcome --> you", 7.25, confidence=0.9)
    caption(recording, "what can I do", 9, track="outbound")
    caption(recording, "not final", 10, is_final=False)
    caption(recording, "before", -5)
    caption(recording, "long after", 200)
    return recording


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make_it", [aligned, told], ids=lambda each: each.__name__)
def test_each_format_is_the_golden_file(reader, make_it, kind):
    answer = get(reader, make_it(), kind)
    golden = GOLDEN / f"{make_it.__name__}.{kind}"
    assert answer.status_code == 200
    assert answer.content.decode() == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("txt", "text/plain; charset=utf-8"),
        ("vtt", "text/vtt; charset=utf-8"),
        ("srt", "application/x-subrip; charset=utf-8"),
        ("json", "application/json"),
    ],
)
def test_each_format_says_what_it_is_and_stays_private(reader, kind, content_type):
    answer = get(reader, aligned(), kind)
    assert answer["Content-Type"] == content_type
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert f'00000000.{kind}"' in answer["Content-Disposition"]


def test_subtitles_name_what_they_leave_out(reader):
    recording = aligned()
    words = "1 of 4 sentences was not found in the sound, so not in the subtitles"
    assert get(reader, recording, "srt")["Left-Out"] == words
    assert f"{words}\n" in get(reader, recording, "vtt").content.decode()
    assert "Left-Out" not in get(reader, recording, "json")


@pytest.mark.parametrize("kind", ["vtt", "srt"])
def test_a_text_without_times_has_no_cues_and_says_what_to_take(reader, kind):
    recording = make()
    say(recording, "Hello.")
    answer = get(reader, recording, kind)
    assert answer.status_code == 404
    assert "take transcript.txt" in answer.content.decode()


def test_swapped_speakers_are_swapped_in_every_format(reader):
    recording = aligned()
    assert "Agent: Hello" in get(reader, recording, "txt").content.decode()
    recording.sides_swapped = True
    recording.save(update_fields=["sides_swapped"])
    assert "Customer: Hello" in get(reader, recording, "txt").content.decode()
    content = json.loads(get(reader, recording, "json").content)
    assert content["speakers"] == ["Agent", "Customer"]
    assert content["segments"][0]["speaker"] == "Customer"


def test_a_sentence_without_a_time_is_null_in_json_and_named_in_text(reader):
    recording = aligned()
    segment = json.loads(get(reader, recording, "json").content)["segments"][2]
    assert segment["start_ms"] is segment["times_from"] is segment["words"][0]["start_ms"] is None
    assert (
        "[not found in the sound] Mumble mumble." in get(reader, recording, "txt").content.decode()
    )


def test_cues_are_in_the_order_of_their_times(reader):
    recording = make()
    timed(recording, row("second", 2000, 3000), row("first", 1000, 2500))
    text = get(reader, recording, "vtt").content.decode()
    assert text.index("first") < text.index("second")
