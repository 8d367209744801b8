"""Corrections: who may, what is kept, what two people do to each other, what history shows."""

import threading

import pytest
from django.db import DatabaseError, connection

from access import audit
from access.models import AuditRow
from recordings import revisions, said, timing
from recordings.models import Revision, Transcript
from tests.conftest import person
from tests.said import find_all, make, make_call, row, say, timed, url

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


@pytest.fixture
def recording(db):
    recording = make(with_file=True)
    timed(
        recording,
        row("I want a re fund.", 0, 900, words=[["I", 0, 100], ["want", 200, 300]]),
        row("Of course.", 1000, 1900),
        row("Goodbye.", 2000, 2900),
    )
    return recording


def sentences(recording):
    return [sentence.text for sentence in said.of(recording).sentences]


def post(client, recording, number, text, was, **headers):
    transcript = said.best(recording)
    return client.post(
        url("correct", recording, transcript.pk, number),
        {"text": text, "was": was},
        headers=headers,
    )


def test_a_correction_is_shown_and_the_original_kept(lee_in, lee, recording):
    answer = post(lee_in, recording, 0, "I want  a refund. ", "I want a re fund.")

    assert answer.status_code == 302
    assert sentences(recording) == ["I want a refund.", "Of course.", "Goodbye."]
    first, second = Revision.objects.all()
    assert (first.number, first.by, first.segments[0]["text"]) == (0, None, "I want a re fund.")
    assert (second.number, second.by, second.name) == (1, lee, "lee")
    assert said.best(recording).text == "I want a refund.\nOf course.\nGoodbye."


def test_times_stay_and_none_is_invented(lee_in, recording):
    post(lee_in, recording, 0, "I want a refund.", "I want a re fund.")
    first = Transcript.objects.get().segments[0]
    assert (first["start_ms"], first["end_ms"], first["origin"]) == (0, 900, "aligned")
    assert first["words"] == [
        ["I", 0, 100],
        ["want", 200, 300],
        ["a", None, None],
        ["refund.", None, None],
    ]


def test_a_correction_is_in_the_audit_trail(lee_in, lee, recording):
    post(lee_in, recording, 1, "Of course!", "Of course.")
    entry = AuditRow.objects.get(verb="correct transcript")
    assert (entry.who, entry.subject) == (lee, recording.subject)
    assert (entry.details["revision"], entry.details["sentence"]) == (1, 1)


def test_without_an_audit_row_nothing_is_corrected(lee_in, recording, monkeypatch):
    def fail(*args, **details):
        raise DatabaseError("disk full")

    monkeypatch.setattr(audit, "record", fail)
    assert post(lee_in, recording, 1, "Of course!", "Of course.").status_code == 503
    assert sentences(recording)[1] == "Of course."
    assert not Revision.objects.exists()


@pytest.mark.parametrize(("who", "status"), [("sam", 302), ("lee", 302), ("olga", 403)])
def test_only_those_who_may_correct(client, request, recording, who, status):
    client.force_login(request.getfixturevalue(who))
    assert post(client, recording, 1, "Of course!", "Of course.").status_code == status
    swapped = client.post(url("swap", recording), {"swapped": "1"})
    assert swapped.status_code == status


def test_strangers_find_nothing(client, max, recording):
    client.force_login(max)
    transcript = said.best(recording)
    for address in (
        url("correct", recording, transcript.pk, 0),
        url("history", recording, transcript.pk),
        url("said", recording),
    ):
        assert client.get(address).status_code == 404
    for address in (
        url("swap", recording),
        url("retry", recording, transcript.pk),
        url("restore", recording, transcript.pk, 0),
    ):
        assert client.post(address).status_code == 404


def test_the_text_of_another_recording_is_a_404(lee_in, recording):
    other = make()
    transcript = say(other, "Something else.")
    assert lee_in.get(url("correct", recording, transcript.pk, 0)).status_code == 404
    assert lee_in.get(url("history", recording, transcript.pk)).status_code == 404


def test_an_empty_sentence_is_removed_and_can_be_restored(lee_in, recording):
    post(lee_in, recording, 1, " ", "Of course.")
    assert sentences(recording) == ["I want a re fund.", "Goodbye."]

    lee_in.post(url("restore", recording, said.best(recording).pk, 0))

    assert sentences(recording) == ["I want a re fund.", "Of course.", "Goodbye."]
    assert said.best(recording).revision == 2
    assert Transcript.objects.get().segments[0]["words"][0] == ["I", 0, 100]


def test_the_only_sentence_stays(lee_in):
    recording = make()
    timed(recording, row("Hello."))
    answer = post(lee_in, recording, 0, "", "Hello.", **HTMX)
    assert answer.status_code == 422
    assert "only sentence" in answer.content.decode()


def test_too_long_a_sentence_is_refused_with_the_limit(lee_in, recording):
    answer = post(lee_in, recording, 0, "x" * 2001, "I want a re fund.", **HTMX)
    assert answer.status_code == 422
    assert "2001 characters, the limit is 2000" in answer.content.decode()
    assert not Revision.objects.exists()


@pytest.mark.parametrize(("number", "status"), [(0, 200), (2, 200), (3, 404), (10**9, 404)])
def test_the_form_is_there_for_the_sentences_that_are(lee_in, recording, number, status):
    transcript = said.best(recording)
    assert lee_in.get(url("correct", recording, transcript.pk, number)).status_code == status


def test_the_same_words_are_no_correction(lee_in, recording):
    post(lee_in, recording, 1, "Of   course.", "Of course.")
    assert said.best(recording).revision == 0
    assert not Revision.objects.exists()


# Two people


def test_who_corrects_over_another_sees_both_texts_and_loses_nothing(lee_in, recording):
    post(lee_in, recording, 1, "Of course, madam.", "Of course.")

    answer = post(lee_in, recording, 1, "Of course, sir.", "Of course.", **HTMX)

    page = answer.content.decode()
    assert answer.status_code == 409
    assert "<q>Of course, madam.</q>" in page
    assert "Of course, sir.</textarea>" in page
    assert sentences(recording)[1] == "Of course, madam."

    post(lee_in, recording, 1, "Of course, sir.", "Of course, madam.")
    assert sentences(recording)[1] == "Of course, sir."


def test_a_sentence_that_moved_is_not_mistaken_for_another(lee_in, recording):
    post(lee_in, recording, 0, "", "I want a re fund.")
    assert post(lee_in, recording, 1, "Of course!", "Of course.").status_code == 409
    assert post(lee_in, recording, 2, "Bye.", "Goodbye.").status_code == 409
    assert sentences(recording) == ["Of course.", "Goodbye."]


@pytest.mark.django_db(transaction=True)
def test_people_who_correct_different_sentences_at_once_both_win():
    recording = make(make_call())
    timed(recording, *(row(f"Sentence {number}.") for number in range(4)))
    transcript = said.best(recording)
    people = [person(f"person {number}", "reviewer") for number in range(4)]
    start = threading.Barrier(4)

    def correct(number):
        start.wait()
        text, was = f"Corrected {number}.", f"Sentence {number}."
        for _ in range(5):  # a busy database is tried again, as a person would
            try:
                revisions.correct(transcript, recording, number, text, was=was, by=people[number])
                break
            except (revisions.NotPossible, DatabaseError):
                continue
        connection.close()

    threads = [threading.Thread(target=correct, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sentences(recording) == [f"Corrected {number}." for number in range(4)]
    assert list(Revision.objects.values_list("number", flat=True)) == [0, 1, 2, 3, 4]


def test_a_correction_between_reading_and_writing_is_not_lost(recording, lee, sam, monkeypatch):
    transcript = said.best(recording)
    read = said.sentences_of

    def read_slowly(row):
        found = read(row)
        monkeypatch.setattr(said, "sentences_of", read)
        revisions.correct(transcript, recording, 2, "Bye.", was="Goodbye.", by=sam)
        return found

    monkeypatch.setattr(said, "sentences_of", read_slowly)
    revisions.correct(transcript, recording, 1, "Of course!", was="Of course.", by=lee)

    assert sentences(recording) == ["I want a re fund.", "Of course!", "Bye."]
    assert list(Revision.objects.values_list("number", "name")) == [
        (0, revisions.FIRST),
        (1, "sam"),
        (2, "lee"),
    ]


# Timing


def test_a_text_corrected_while_it_is_timed_is_timed_with_the_correction(lee_in, monkeypatch):
    recording = make(with_file=True)
    timing.ask(Transcript.objects.filter(pk=say(recording, "Helo there.").pk))

    def correct_meanwhile(*args):
        monkeypatch.setattr(timing, "align_apart", find_all)
        post(lee_in, recording, 0, "Hello there.", "Helo there.")
        return find_all(*args)

    monkeypatch.setattr(timing, "align_apart", correct_meanwhile)
    timing.time_due()

    transcript = Transcript.objects.get()
    assert transcript.timing == "timed"
    assert transcript.segments[0]["words"] == [["Hello", 0, 800], ["there.", 1000, 1800]]
    assert Revision.objects.get(number=1).segments == transcript.segments


def test_another_text_of_telnyx_does_not_replace_a_corrected_one(deliver, lee_in):
    recording = make()
    saved = {"recording_id": recording.recording_id, "recording_transcription_id": "one"}
    leg = {"call_leg_id": recording.call.call_leg_id}
    deliver("call.recording.transcription.saved", **leg, **saved, transcription_text="Helo.")
    post(lee_in, recording, 0, "Hello.", "Helo.")

    deliver("call.recording.transcription.saved", **leg, **saved, transcription_text="Hallo.")

    assert sentences(recording) == ["Hello."]


# History


def test_history_shows_who_changed_which_words(lee_in, recording):
    post(lee_in, recording, 0, "I want a refund.", "I want a re fund.")
    page = lee_in.get(url("history", recording, said.best(recording).pk)).content.decode()
    assert "Revision 1" in page
    assert "lee, " in page
    assert "I want a <del>re fund.</del> <ins>refund.</ins>" in page
    assert "Of course" not in page


def test_history_is_paged(lee_in, recording):
    for number in range(12):
        was = sentences(recording)[1]
        post(lee_in, recording, 1, f"Of course {number}.", was)
    address = url("history", recording, said.best(recording).pk)
    newest = lee_in.get(address).content.decode()
    assert "Revision 12" in newest
    assert "Revision 3<" in newest
    assert "Revision 2<" not in newest
    older = lee_in.get(f"{address}?before=3").content.decode()
    assert "Revision 2<" in older
    assert "Revision 0<" in older
    assert lee_in.get(f"{address}?before=x").status_code == 200


def test_restoring_what_is_not_there_is_a_404(lee_in, recording):
    assert lee_in.post(url("restore", recording, said.best(recording).pk, 7)).status_code == 404


def test_swapping_twice_by_mistake_swaps_once(lee_in, recording):
    for _ in range(2):
        lee_in.post(url("swap", recording), {"swapped": "1"})
    recording.refresh_from_db()
    assert recording.sides_swapped
    assert AuditRow.objects.filter(verb="swap speakers").count() == 1
