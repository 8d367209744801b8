"""The forms of the commands: what is asked, what is wrong, what goes to Telnyx. No database."""

import json
from html.parser import HTMLParser

import pytest
from django.template import Context, Engine

from calls.forms import DESK, ELSEWHERE, MAIN, CommandForm, for_kind
from calls.telnyx.parameters import ACTIONS, Invalid, clean

FREE = {kind for kind, table in ACTIONS.items() if not any(it.required for it in table)}
DIALOG = Engine().from_string(
    """{% for field in form %}<label for="{{ field.id_for_label }}">{{ field.label }}</label>
    {{ field }}<p id="{{ field.auto_id }}_helptext">{{ field.help_text }}</p>{{ field.errors }}
    {% if field.field.suggestions %}<datalist id="{{ field.field.widget.attrs.list }}">
    {% for word in field.field.suggestions %}<option value="{{ word }}">{% endfor %}</datalist>
    {% endif %}{% endfor %}"""
)


class Page(HTMLParser):
    """The tags of a page, by id."""

    def __init__(self, *forms):
        super().__init__()
        self.tags = []
        for form in forms:
            self.feed(DIALOG.render(Context({"form": form})))
        self.ids = [tag["id"] for tag in self.tags if "id" in tag]
        self.by_id = {tag["id"]: tag for tag in self.tags if "id" in tag}

    def handle_starttag(self, tag, attrs):
        self.tags.append(dict(attrs) | {"tag": tag})


@pytest.mark.parametrize("kind", ACTIONS)
def test_every_parameter_stands_in_its_form_once(kind):
    form = for_kind(kind)()

    shown = [field.name for field in (*form.main_fields(), *form.more_fields())]

    ours = ["why"] if kind == "record_pause" else []
    asked = {it.name for it in ACTIONS[kind]} - set(ELSEWHERE.get(kind, ()))
    assert sorted(shown) == sorted([*ours, *asked])
    assert [field.name for field in form.main_fields()] == list(MAIN.get(kind, ()))
    assert all(field.label for field in form)


@pytest.mark.parametrize("kind", sorted(FREE - {"playback_start"}))
def test_an_empty_post_is_enough_where_nothing_is_required(kind):
    form = for_kind(kind)({"why": "other"} if kind == "record_pause" else {})

    assert form.is_valid()
    assert form.params == {}


@pytest.mark.parametrize("kind", sorted(ACTIONS.keys() - FREE | {"playback_start"}))
def test_an_empty_post_says_what_is_missing(kind):
    form = for_kind(kind)({})

    assert not form.is_valid()
    assert form.params == {}
    required = [it.name for it in ACTIONS[kind] if it.required] or ["media_name"]
    assert sorted(form.errors) == sorted(required)


def test_a_post_becomes_exactly_what_telnyx_gets():
    form = for_kind("record_start")(
        {
            "format": "wav",
            "channels": "dual",
            "max_length": "600",
            "play_beep": "true",
            "transcription": "false",
            "trim": "",
            "csrfmiddlewaretoken": "x",
            "request_id": "y",
        }
    )

    assert form.is_valid()
    assert form.params == {
        "format": "wav",
        "channels": "dual",
        "max_length": 600,
        "play_beep": True,
        "transcription": False,
    }


def test_every_problem_stands_at_its_field():
    form = for_kind("record_start")({"format": "ogg", "max_length": "20000", "client_state": "!"})

    assert not form.is_valid()
    assert form.errors == {
        "format": ['format is "ogg", it must be one of mp3, wav'],
        "channels": ["channels is missing"],
        "max_length": ["max_length is 20000 s, the limit is 14400 s"],
        "client_state": ["client_state is not Base64"],
    }


@pytest.mark.parametrize(
    ("wrong", "opens"),
    [({"format": "ogg"}, False), ({"max_length": "20000"}, True), ({}, False)],
)
def test_more_options_open_when_something_in_there_is_wrong(wrong, opens):
    form = for_kind("record_start")({"format": "mp3", "channels": "dual"} | wrong)

    assert form.is_valid() is (not wrong)
    assert form.must_show_more() is opens


def test_a_problem_in_a_compound_value_stands_at_its_field():
    form = for_kind("speak")(
        {"payload": "Hi", "voice": "x", "voice_settings": '{"type":"telnyx","voice_speed":9}'}
    )

    assert form.errors == {"voice_settings": ["voice_settings.voice_speed is 9, the limit is 2"]}


def test_what_was_typed_is_shown_again():
    form = for_kind("speak")({"payload": "x" * 3001, "voice": "<b>", "service_level": "basic"})
    page = Page(form)

    assert not form.is_valid()
    assert "x" * 3001 in str(form["payload"])
    assert page.by_id["id_voice"]["value"] == "<b>"
    assert '<option value="basic" selected>' in str(form["service_level"])


@pytest.mark.parametrize("kind", ACTIONS)
def test_several_dialogs_share_a_page_without_sharing_an_id(kind):
    forms = [for_kind(kind)(auto_id=f"call-{number}-{kind}-%s") for number in (1, 2)]
    page = Page(*forms)

    assert len(page.ids) == len(set(page.ids))
    for tag in page.tags:
        for reference in (tag.get("for"), tag.get("list")):
            assert reference is None or reference in page.by_id


def test_browsers_get_the_limits_too():
    page = Page(for_kind("record_start")(), for_kind("speak")(auto_id="speak-%s"))

    number = page.by_id["id_max_length"]
    text = page.by_id["speak-payload"]
    assert (number["type"], number["min"], number["max"], number["step"]) == (
        "number",
        "0",
        "14400",
        "1",
    )
    assert (text["tag"], text["maxlength"], "required" in text) == ("textarea", "3000", True)
    assert "required" not in number
    assert page.by_id["id_custom_file_name"]["maxlength"] == "40"
    assert page.by_id["id_format"]["tag"] == "select"
    assert "required" in page.by_id["id_format"]


def test_a_yes_or_no_has_a_third_answer():
    form = for_kind("playback_start")()

    choices = list(form["cache_audio"].field.widget.choices)

    assert choices == [("", "Default (yes)"), ("true", "Yes"), ("false", "No")]


def test_a_closed_list_has_an_unset_answer_unless_required():
    record, play = for_kind("record_start")(), for_kind("playback_start")()

    assert list(record["format"].field.widget.choices) == [("mp3", "mp3"), ("wav", "wav")]
    assert next(iter(play["target_legs"].field.widget.choices)) == ("", "Default (self)")


def test_an_open_list_is_only_suggested():
    form = for_kind("speak")({"payload": "Hi", "voice": "Brandnew.Voice", "language": "xx"})

    assert "AWS.Polly.Joanna" in form["voice"].field.suggestions
    assert form.is_valid()
    assert form.params["voice"] == "Brandnew.Voice"


def test_suggestions_of_the_account_take_the_place_of_ours():
    names = ["hold", "closing-time"]

    form = for_kind("playback_start")(suggestions={"media_name": names})
    page = Page(form)

    assert form["media_name"].field.suggestions == names
    assert page.by_id[page.by_id["id_media_name"]["list"]]["tag"] == "datalist"
    assert for_kind("playback_start")()["media_name"].field.suggestions == ()


def test_what_the_desk_knows_is_sent_and_not_asked():
    form = for_kind("dial")(
        {"to": "+18005550100", "from": "+18005550101", "connection_id": "99"},
        fixed={"connection_id": "12"},
    )

    assert "connection_id" not in form.fields
    assert form.is_valid()
    assert form.params["connection_id"] == "12"
    assert "connection_id" in for_kind("dial")().fields


def test_a_problem_with_what_the_desk_knows_stands_above_the_form():
    form = for_kind("dial")(
        {"to": "+18005550100", "from": "+18005550101"}, fixed={"connection_id": "x" * 300}
    )

    assert form.non_field_errors() == ["connection_id has 300 characters, the limit is 255"]


@pytest.mark.parametrize("kind", DESK)
def test_the_desks_own_wishes_are_filled_in(kind):
    form = for_kind(kind)()

    assert {name: form[name].initial for name in DESK[kind]} == DESK[kind]
    page = Page(form)
    for name, value in DESK[kind].items():
        tag = page.by_id[f"id_{name}"]
        shown = f'value="{value}" selected' in str(form[name])
        assert shown if tag["tag"] == "select" else tag["value"] == value


def test_one_press_records_as_the_desk_wishes():
    assert clean("record_start", DESK["record_start"]) == {
        "format": "mp3",
        "channels": "dual",
        "transcription": True,
        "transcription_language": "en-US",
    }
    assert clean("record_pause", DESK.get("record_pause", {})) == {}
    with pytest.raises(Invalid, match="payload is missing"):
        clean("speak", DESK["speak"])


def test_an_earlier_commands_params_fill_the_form_again():
    params = {
        "payload": "Hello",
        "voice": "Telnyx.KokoroTTS.af",
        "loop": 2,
        "voice_settings": {"type": "telnyx", "voice_speed": 1.5},
    }
    form = for_kind("speak")(initial=params)
    posted = {field.name: field.value() for field in form if field.value() is not None}

    again = for_kind("speak")(posted)

    assert json.loads(posted["voice_settings"]) == params["voice_settings"]
    assert again.is_valid()
    assert again.params == params | {"language": "en-US"}


def test_a_yes_of_an_earlier_command_is_selected_again():
    form = for_kind("record_start")(initial={"play_beep": True, "transcription": False})

    assert 'value="true" selected' in str(form["play_beep"])
    assert 'value="false" selected' in str(form["transcription"])


def test_a_form_is_made_once_and_an_unknown_kind_never():
    assert for_kind("speak") is for_kind("speak")
    assert issubclass(for_kind("speak"), CommandForm)
    assert for_kind("speak").kind == "speak"
    with pytest.raises(KeyError):
        for_kind("self_destruct")


def test_one_forms_changes_do_not_reach_the_next():
    first = for_kind("speak")(auto_id="a-%s")
    first.fields["voice"].widget.attrs["data-x"] = "1"

    second = for_kind("speak")(auto_id="b-%s")

    assert second.fields["voice"].widget.attrs["list"] == "b-voice_list"
    assert "data-x" not in second.fields["voice"].widget.attrs
