"""A file's length held against its pauses: both ways to leave one out fit, and nothing else."""

from datetime import timedelta

import pytest

from calls.models import Call, Command
from recordings import fetch, pauses, proof
from recordings.models import Recording
from tests.store import whole
from tests.test_board import text
from tests.test_fetch import SOUND, announced, store  # noqa: F401  (fixtures)
from tests.test_recording_timeline import STARTED, legs, press, record  # noqa: F401

pytestmark = pytest.mark.django_db


def paused_at(call, by, *stretches):
    """Have the call recorded and paused, the clocks running apart."""
    press(call, "record_start", 0, by)
    for start, stop in stretches:
        press(call, "record_pause", start, by, why="card_payment")
        if stop is not None:
            press(call, "record_resume", stop, by)


def is_unverified(call, *, took_s, length_s, **more):
    recording = record(call, took_s=took_s, length_s=length_s, **more)
    return proof.marks(recording)["pause_unverified"]


@pytest.mark.parametrize(
    ("took_s", "stretches", "length_s", "unverified"),
    [
        (60, [(10, 20)], 50, False),  # left out
        (60, [(10, 20)], 60, False),  # silenced
        (60, [(10, 20)], 48.1, False),
        (60, [(10, 20)], 47.9, True),
        (60, [(10, 20)], 55, True),
        (60, [(10, 20)], 62.1, True),
        (60, [(10, 20), (30, 45)], 35, False),
        (60, [(10, 20), (30, 45)], 50, True),  # the second one was not taken
        (60, [(10, None)], 10, False),
        (60, [(10, None)], 30, True),
        (1000, [(100, 400)], 719, False),  # 2 % of a long one
        (1000, [(100, 400)], 721, True),
        (60, [], 40, False),  # no pause of ours: nothing to hold it against
    ],
)
def test_a_length_fits_the_pauses_or_the_recording_is_marked(
    legs,  # noqa: F811
    sam,
    took_s,
    stretches,
    length_s,
    unverified,
):
    paused_at(legs[0], sam, *stretches)

    assert is_unverified(legs[0], took_s=took_s, length_s=length_s) is unverified


def test_a_pause_in_doubt_that_shortened_the_file_is_unverified(legs, sam):  # noqa: F811
    press(legs[0], "record_start", 0, sam)
    press(legs[0], "record_pause", 10, sam, state="unknown")
    press(legs[0], "record_resume", 30, sam)

    assert is_unverified(legs[0], took_s=60, length_s=40, paused=True)
    assert not is_unverified(legs[0], took_s=60, length_s=60, paused=True, start_s=0.001)


def test_trimmed_silence_proves_nothing(legs, sam):  # noqa: F811
    paused_at(legs[0], sam, (10, 20))
    Command.objects.filter(kind="record_start").update(params={"trim": "trim-silence"})

    assert not is_unverified(legs[0], took_s=60, length_s=20)


@pytest.mark.parametrize(
    ("ends", "how", "said"),
    [
        ([("record_resume", {})], "a person", "resumed by sam"),
        ([("record_resume", {"why": "time_up"})], "the desk, when the time was up", "by the desk"),
        ([("record_stop", {})], "a person", "still paused when the recording was stopped by sam"),
        ([], "the end of the call", "still paused when the call ended"),
        ([("record_resume", {"state": "unknown"})], "unknown", "nobody knows when it ended"),
        (
            [("record_resume", {"state": "unknown"}), ("record_resume", {})],
            "a person",
            "resumed by sam",
        ),
    ],
)
def test_how_each_pause_ended_is_known(legs, sam, ends, how, said):  # noqa: F811
    call = legs[0]
    paused_at(call, sam, (10, None))
    for at_s, (kind, more) in enumerate(ends, start=20):
        command = press(call, kind, at_s, sam, **more)
        if command.why == "time_up":
            Command.objects.filter(pk=command.pk).update(requested_by=None)
    recording = record(call, took_s=60, length_s=60)
    commands = pauses.moves(recording)

    (pause,) = pauses.of(recording, commands, pauses.skew(recording, commands, []))

    assert (pause.how, pause.reason) == (how, "Card payment")
    assert said in pause.end
    assert proof.marks(recording)["ended_paused"] is (how == "the end of the call")


def test_the_page_the_list_and_its_filter_say_so(legs, sam, lee, client):  # noqa: F811
    paused_at(legs[0], sam, (10, 20), (30, None))
    recording = record(legs[0], took_s=60, length_s=55, paused=True)
    Recording.objects.filter(pk=recording.pk).update(**proof.marks(recording))
    fine = record(legs[1], took_s=60, length_s=60, start_s=500)
    client.force_login(lee)

    page = text(client.get(recording.get_absolute_url()).content.decode())
    assert "Pause unverified. The file lasts 55 s. The recording ran for 1 min" in page
    assert "was paused for 40 s, so it should last 20 s" in page
    assert "still paused when the call ended" in page
    assert "Card payment" in page
    assert "the end of the call" in page
    other = text(client.get(fine.get_absolute_url()).content.decode())
    assert "Pause unverified" not in other
    for chosen in ("unverified", "to-the-end"):
        listed = client.get(f"/recordings/?paused={chosen}").content.decode()
        assert recording.get_absolute_url() in listed
        assert fine.get_absolute_url() not in listed
    assert "Ended while paused" in text(listed)
    assert "Pause unverified" in text(listed)


@pytest.mark.parametrize(("shorter_s", "unverified"), [(1, False), (60, True)])
def test_it_is_judged_when_the_file_is_stored(
    announced,  # noqa: F811
    store,  # noqa: F811
    sam,
    shorter_s,
    unverified,
):
    recording = announced(store.serve(whole(SOUND)))
    ended_at = recording.started_at + timedelta(seconds=2 + shorter_s)
    Recording.objects.update(ended_at=ended_at, duration_ms=None, paused=True)
    Call.objects.update(ended_at=ended_at)
    press(recording.call, "record_start", 0, sam)

    fetch.fetch_due()

    recording.refresh_from_db()
    assert (recording.state, recording.pause_unverified) == ("stored", unverified)
