"""The transcript on the page of a recording: every state in words, and text as text alone."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from django.utils.html import escape

from access.models import AuditRow
from recordings.models import Recording, Transcript
from tests.said import caption, make, row, say, started, timed, url

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</p></li></ol><svg onload=alert(1)>",
    "{{ 7*7 }}{% debug %}",
    "javascript:alert(1)",
    "' onfocus='alert(1)' autofocus='",
    "</textarea><script>alert(1)</script>",
    "\u202egnp.exe",
    "&lt;b&gt;",
    "<!--",
    "]]>",
]


@pytest.fixture
def lee_in(client, lee):
    client.force_login(lee)
    return client


@pytest.fixture
def olga_in(client, olga):
    client.force_login(olga)
    return client


def page(client, recording):
    answer = client.get(url("detail", recording))
    assert answer.status_code == 200
    html = answer.content.decode()
    return html[html.index('<section id="transcript"') : html.index('aria-labelledby="facts"')]


def words(html):
    """Return the text of a part of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


# States


def test_a_transcript_that_was_not_asked_for_says_so(lee_in, sam):
    recording = make()
    started(recording, sam, transcription=False)
    text = words(page(lee_in, recording))
    assert "it was not asked for when this recording was started" in text


def test_a_recording_that_was_not_started_here_says_how_texts_come(lee_in):
    assert "Telnyx writes one when transcription was asked for" in words(page(lee_in, make()))


def test_a_text_that_is_still_to_come_is_pending_since_the_end(lee_in, sam):
    recording = make(ended_at=timezone.now() - timedelta(minutes=3))
    started(recording, sam, transcription=True)
    html = page(lee_in, recording)
    assert "it has not come yet, since" in words(html)
    assert 'hx-trigger="every 4s"' in html


def test_a_text_that_never_came_is_no_longer_looked_for(lee_in, sam):
    recording = make()  # long ago
    started(recording, sam, transcription=True)
    html = page(lee_in, recording)
    assert "it has not come yet" in words(html)
    assert "hx-trigger" not in html


def test_silence_is_told_as_such(lee_in):
    recording = make()
    say(recording, "")
    assert "Telnyx found no speech in this recording." in words(page(lee_in, recording))


def test_an_alignment_under_way_says_since_when_and_looks_again(lee_in):
    recording = make()
    say(recording, timing="working", timing_since=timezone.now())
    html = page(lee_in, recording)
    assert "being looked for in the sound since" in words(html)
    assert 'hx-trigger="every 4s"' in html


def test_an_alignment_that_failed_says_why_and_when_it_is_tried_again(lee_in):
    recording = make()
    now = timezone.now()
    say(recording, timing="due", timing_since=now, due_at=now, timing_reason="It took too long.")
    text = words(page(lee_in, recording))
    assert "could not be looked for in the sound: It took too long. Tried again at" in text


def test_a_text_without_times_says_why_and_can_be_looked_at_again(lee_in, lee):
    recording = make()
    transcript = say(recording, timing="untimed", timing_reason="None of its words were found.")
    html = page(lee_in, recording)
    assert "It has no times. None of its words were found." in words(html)
    assert "data-at" not in html

    answer = lee_in.post(url("retry", recording, transcript.pk), headers=HTMX)

    assert "will be looked for in the sound" in answer.content.decode()
    assert Transcript.objects.get().timing == "due"
    assert AuditRow.objects.get(verb="time transcript").who == lee


def test_who_operates_may_look_again_but_not_read(olga_in):
    recording = make()
    transcript = say(recording, "secret", timing="untimed")
    assert "Look again" in words(page(olga_in, recording))
    answer = olga_in.post(url("retry", recording, transcript.pk), headers=HTMX)
    assert Transcript.objects.get().timing == "due"
    assert "secret" not in answer.content.decode()


def test_a_file_still_to_come_is_said_to_be_waited_for(lee_in):
    recording = make(state="fetching")
    say(recording)
    assert "once the file is here" in words(page(lee_in, recording))


def test_a_text_that_never_came_can_be_asked_for(lee_in, lee, sam):
    recording = make()
    started(recording, sam, transcription=True)
    assert "Ask Telnyx for the text" in words(page(lee_in, recording))

    answer = lee_in.post(url("inquire", recording), headers=HTMX)

    assert "Telnyx is asked for the text since" in words(answer.content.decode())
    assert AuditRow.objects.get(verb="ask for transcript").who == lee
    Transcript.objects.update(timing="untimed", timing_reason="Telnyx has none, asked 09:00.")
    text = words(page(lee_in, recording))
    assert "There is no text of Telnyx. Telnyx has none, asked 09:00." in text
    assert "Ask Telnyx for the text" in text


def test_a_text_that_is_here_is_not_asked_for(lee_in):
    recording = make()
    say(recording)
    assert "Ask Telnyx" not in words(page(lee_in, recording))
    lee_in.post(url("inquire", recording))
    assert Transcript.objects.count() == 1


# Rows


def test_rows_have_times_names_and_words(lee_in):
    recording = make()
    timed(
        recording,
        row("Hello there.", 3_000, 4_000, words=[["Hello", 3_000, 3_400], ["there.", None, None]]),
        row("Hm.", 65_000, 66_000, channel=1, confidence=0.5),
        row("Lost words."),
    )
    html = page(lee_in, recording)
    first, second, third = html.split('<li class="turn')[1:]
    assert words(first.partition(">")[2]).startswith("0:03 Customer Hello there.")
    assert 'data-at="2.7"' in first
    assert 'data-words="0+400 -"' in first
    assert "1:05 Agent Hm." in words(second)
    assert second.startswith(' is-doubtful is-upper"')
    assert "Its place is uncertain: confidence 50%" in second
    assert "not found in the sound" in third
    assert "data-at" not in third
    assert "1 of 3 sentences was not found in the sound" in words(html)


def test_captions_are_marked_as_approximate_and_where_they_are_from(lee_in):
    recording = make(state="announced", ended_at=timezone.now(), started_at=timezone.now())
    caption(recording, "hello", 3)
    html = page(lee_in, recording)
    assert "Live captions, as they come." in words(html)
    assert "told with the live captions" in words(html)
    assert "≈ 0:00 Customer hello" in words(html.split('<li class="turn')[1].partition(">")[2])
    assert "Correct" not in html.split('<li class="turn')[1]
    assert 'hx-trigger="every 4s"' in html


def test_a_guessed_language_is_said_to_be_guessed(lee_in):
    recording = make()
    timed(recording, row("Hello.", 0, 900))
    assert "it was taken for English" in words(page(lee_in, recording))
    Transcript.objects.update(language="en-GB")
    assert "Language: en-GB." in words(page(lee_in, recording))


def test_the_rows_cost_no_query_each(lee_in, django_assert_max_num_queries):
    recording = make()
    timed(recording, *(row(f"Sentence {n}.", n * 1000, n * 1000 + 900) for n in range(200)))
    lee_in.get(url("detail", recording))
    with django_assert_max_num_queries(20):
        lee_in.get(url("detail", recording))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_was_said_is_text_and_nothing_else(lee_in, text):
    recording = make()
    transcript = timed(recording, row(text, 0, 900), row("x", 1000, 1900))
    html = page(lee_in, recording)
    assert escape(text) in html
    if "<" in text:
        assert text not in html

    form = lee_in.get(url("correct", recording, transcript.pk, 0), headers=HTMX).content.decode()
    assert escape(text) in form
    assert f'value="{escape(text)}"' in form

    lee_in.post(url("correct", recording, transcript.pk, 0), {"text": "y", "was": text})
    answer = lee_in.get(url("history", recording, transcript.pk))
    history = answer.content.decode().partition('<section class="card revision"')[2]
    for word in text.split():
        assert escape(word) in history
        if "<" in word:
            assert word not in history


# Looking again


def test_what_is_still_the_same_is_not_sent_again(lee_in):
    recording = make()
    say(recording, timing="working", timing_since=timezone.now())
    address = re.search(r'hx-get="([^"]+)"', page(lee_in, recording))[1]
    assert lee_in.get(address, headers=HTMX).status_code == 204

    Transcript.objects.update(timing="timed", segments=[row("Hello there.", 0, 900)])
    answer = lee_in.get(address, headers=HTMX)

    assert answer.status_code == 200
    assert 'data-at="0.0"' in answer.content.decode() or 'data-at="0"' in answer.content.decode()
    assert "hx-trigger" not in answer.content.decode()


def test_without_htmx_the_part_is_the_page(lee_in):
    recording = make()
    answer = lee_in.get(url("said", recording))
    assert answer.status_code == 302
    assert answer["Location"].endswith("#transcript")


def test_reading_a_part_is_noted(lee_in):
    recording = make()
    say(recording)
    lee_in.get(url("said", recording), headers=HTMX)
    assert AuditRow.objects.get().verb == "read transcript"


def test_a_foreign_page_is_not_served(lee_in):
    recording = make()
    say(recording)
    headers = {"Sec-Fetch-Site": "cross-site"}
    assert lee_in.get(url("said", recording), headers=HTMX | headers).status_code == 403


# Corrections on the page


def test_the_form_works_as_a_page_and_as_a_part(lee_in):
    recording = make()
    transcript = timed(recording, row("Helo.", 0, 900))
    address = url("correct", recording, transcript.pk, 0)

    assert "<html" in lee_in.get(address).content.decode()
    assert "<html" not in lee_in.get(address, headers=HTMX).content.decode()
    answer = lee_in.post(address, {"text": "Hello.", "was": "Helo."}, headers=HTMX)

    assert answer.content.decode().strip().startswith('<li class="turn')
    assert "Hello." in answer.content.decode()
    assert "Corrections (1)" in words(page(lee_in, recording))


def test_a_removed_sentence_shows_the_whole_transcript_anew(lee_in):
    recording = make()
    transcript = timed(recording, row("Noise.", 0, 900), row("Words.", 1000, 1900))
    address = url("correct", recording, transcript.pk, 0)
    answer = lee_in.post(address, {"text": "", "was": "Noise."}, headers=HTMX)
    assert answer["HX-Retarget"] == "#transcript"
    assert "Noise." not in answer.content.decode()


def test_swapping_shows_the_other_names(lee_in):
    recording = make()
    timed(recording, row("Hello.", 0, 900))
    assert "First channel: Customer. Second: Agent." in words(page(lee_in, recording))
    answer = lee_in.post(url("swap", recording), {"swapped": "1"}, headers=HTMX)
    assert "First channel: Agent. Second: Customer. Swapped by hand." in words(
        answer.content.decode()
    )
    assert Recording.objects.get().sides_swapped


def test_operators_see_no_words_in_the_admin(olga_in):
    transcript = timed(make(), row("topsecret", 0, 900))
    answer = olga_in.get(f"/admin/recordings/transcript/{transcript.pk}/change/")
    assert answer.status_code == 200
    assert "topsecret" not in answer.content.decode()
