"""Telnyx's voices: fetched, kept, found, and what is said when Telnyx is down."""

from datetime import timedelta

import pytest
from django.utils import timezone

from access.models import AuditRow
from calls.models import Voice, VoiceList
from calls.sounds import voices
from tests.test_call_pages import body, text


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


@pytest.fixture
def fetched(db, simulator):
    assert voices.refresh_due() == 1


def make_due():
    VoiceList.objects.update(due_at=timezone.now())


def names(*words, **more):
    return [voice.voice_id for voice in voices.search(" ".join(words), most=50, **more)]


def test_the_list_is_fetched_once_a_day(fetched):
    told = voices.told()

    assert Voice.objects.count() == 14
    assert told.fetched_at is not None
    assert told.error == ""
    assert told.due_at > timezone.now() + timedelta(hours=23)
    assert voices.refresh_due() == 0


def test_a_voice_that_telnyx_dropped_goes_and_others_stay_as_they_are(fetched):
    Voice.objects.create(voice_id="AWS.Polly.Gone", words="gone")
    kept = Voice.objects.get(voice_id="AWS.Polly.Joanna").pk
    make_due()

    voices.refresh_due()

    assert not Voice.objects.filter(voice_id="AWS.Polly.Gone").exists()
    assert Voice.objects.get(voice_id="AWS.Polly.Joanna").pk == kept


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("german",), ["AWS.Polly.Vicki-Neural"]),
        (("vicki", "de-de"), ["AWS.Polly.Vicki-Neural"]),
        (("amazon", "english", "male"), ["AWS.Polly.Matthew-Neural"]),
        (("klingon",), []),
    ],
)
def test_voices_are_found_by_name_language_gender_and_provider(fetched, words, found):
    assert names(*words) == found


def test_filters_narrow_the_list(fetched):
    assert names(provider="azure", gender="male") == ["Azure.en-US-BrianMultilingualNeural"]
    assert names(language="es-ES") == ["AWS.Polly.Lucia-Generative"]
    assert "aws" in voices.choices("provider")


def test_while_telnyx_is_down_the_old_list_stays_and_says_so(fetched, simulator, supervisor):
    simulator.fault(action="GET /text-to-speech/voices", do="status", status=503)
    make_due()

    voices.refresh_due()

    page = text(body(supervisor.get("/voices/")))
    assert "It could not be asked since: Telnyx could not do it now" in page
    assert "AWS.Polly.Vicki-Neural" in page
    due = voices.told().due_at
    assert timezone.now() < due < timezone.now() + timedelta(minutes=2)


def test_before_any_answer_the_desks_own_list_is_offered_and_called_so(supervisor):
    page = text(body(supervisor.get("/voices/?q=joanna")))
    options = text(body(supervisor.get("/voices/?part=options&voice=brian")))

    assert "This is the desk's own short list. Telnyx has not been asked yet." in page
    assert "AWS.Polly.Joanna-Neural" in page
    assert "Azure.en-US-BrianMultilingualNeural" in options
    assert "These are the desk's own." in options


def test_an_empty_list_takes_no_voice_away(fetched, simulator):
    simulator.fault(
        action="GET /text-to-speech/voices", do="status", status=200, body={"voices": []}
    )
    make_due()

    voices.refresh_due()

    assert Voice.objects.count() == 14
    assert "empty" in voices.told().error


def test_a_whole_name_shows_the_others_too(fetched, supervisor):
    options = body(supervisor.get("/voices/?part=options&voice=AWS.Polly.Joanna"))

    assert options.count("data-voice-id") == 14
    assert 'data-voice-id="AWS.Polly.Joanna" aria-pressed="true"' in options


def test_only_operators_choose_the_desks_voice(client, sam, olga):
    chosen = {"voice": "AWS.Polly.Amy", "language": "en-GB"}
    client.force_login(sam)
    assert "Only operators" in body(client.post("/voices/", chosen, follow=True))
    assert voices.default() == ("AWS.Polly.Joanna", "en-US")

    client.force_login(olga)
    assert client.post("/voices/", chosen).status_code == 302
    assert voices.default() == ("AWS.Polly.Amy", "en-GB")
    assert AuditRow.objects.get(verb="set voice").details == chosen
    wrong = client.post("/voices/", {"voice": "a b"})
    assert wrong.status_code == 422
    assert "it may have no space in it" in body(wrong)


def test_the_list_is_fetched_on_demand(fetched, supervisor):
    assert supervisor.post("/voices/refresh/").status_code == 302

    assert voices.refresh_due() == 1


def test_without_a_key_nobody_is_asked(db, settings):
    settings.TELNYX_API_KEY = ""

    voices.refresh_due()

    assert "set TELNYX_API_KEY" in voices.told().error
