"""What people should hear of is told once, to whoever chose it, in the desk and by mail."""

import threading
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.db import connection, transaction
from django.utils import timezone

from calls import events, guard, letters, signals, silence
from calls.models import Call, Command, Guard, Mailbox, Notice, NoticeChoice, Signal, WebhookEvent
from recordings import telling
from recordings.models import FoundBy, Recording, State, numbers
from tests.conftest import leg

pytestmark = pytest.mark.django_db


def tell(cause="1", kind="call.ended_paused", subject="A call ended while paused", **ids):
    signals.tell(kind, subject, "Nobody resumed it.", "/calls/", cause=cause, **ids)


def mails(user, kind="call.ended_paused", *, in_desk=True):
    NoticeChoice.objects.create(user=user, kind=kind, in_desk=in_desk, by_mail=True)
    User.objects.filter(pk=user.pk).update(email=f"{user.username}@desk.example")


def recording(state=State.ANNOUNCED, **more):
    call = Call.objects.create(**leg(), conversation="c")
    now = timezone.now()
    return Recording.objects.create(
        call=call,
        state=state,
        since=now,
        announced_at=now,
        started_at=now,
        **numbers("+12125550100", "+18005550101"),
        **more,
    )


# Telling


def test_one_cause_is_told_once_however_often():
    for _ in range(3):
        tell("same")
    tell("other")

    assert Signal.objects.count() == 2


def test_what_is_rolled_back_is_not_told():
    with transaction.atomic():
        tell()
        transaction.set_rollback(True)

    assert not Signal.objects.exists()


def test_an_unknown_kind_is_a_fault_of_ours():
    with pytest.raises(KeyError):
        tell(kind="call.ended_well")


def test_a_call_that_ends_while_its_recording_is_paused_is_told_once(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    deliver("call.answered", **ids)
    call = Call.objects.get()
    now = timezone.now()
    for kind, at in (("record_start", now), ("record_pause", now + timedelta(seconds=1))):
        Command.objects.create(
            call=call,
            kind=kind,
            request_id=kind,
            requested_at=at,
            expires_at=at,
            due_at=at,
            first_sent_at=at,
            accepted_at=at,
            state=Command.State.ACCEPTED,
        )
    deliver("call.hangup", **ids)
    events.replay(WebhookEvent.objects.all())
    events.apply_due()

    (told,) = Signal.objects.all()
    assert told.kind == "call.ended_paused"
    assert told.url == call.get_absolute_url()
    assert told.ids == {"call": str(call.pk)}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        (State.STORED, "recording.stored"),
        (State.MISSING, "recording.missing"),
        (State.FAILED, "recording.failed"),
        (State.CORRUPT, "recording.damaged"),
    ],
)
def test_what_becomes_of_a_recording_is_told(state, kind):
    one = recording()

    telling.tell(one, state, "Why.")

    (told,) = Signal.objects.all()
    assert (told.kind, told.text, told.url) == (kind, "Why.", one.get_absolute_url())
    assert told.ids == {"recording": str(one.pk), "call": str(one.call_id)}


def test_a_pause_that_the_desk_could_not_end_is_told_once():
    call = Call.objects.create(**leg(), conversation="c")
    now = timezone.now()
    pause = Command.objects.create(
        call=call,
        kind="record_pause",
        request_id="p",
        requested_at=now,
        expires_at=now,
        due_at=now,
    )
    watched = Guard(pk=pause.pk, call=call, pause=pause, trouble="Telnyx refused: no.")

    for _ in range(2):
        guard.escalated(watched)

    (told,) = Signal.objects.all()
    assert (told.kind, told.text) == ("pause.overdue", "Telnyx refused: no.")
    assert told.url == call.get_absolute_url()


def test_states_on_the_way_and_an_import_are_no_news():
    telling.tell(recording(), State.FETCHING)
    telling.tell(recording(found_by=FoundBy.IMPORT), State.STORED)

    assert not Signal.objects.exists()


def test_telnyxs_own_failure_is_told(deliver):
    ids = leg()
    deliver("call.initiated", **ids)
    deliver("call.recording.error", **ids)

    assert [told.kind for told in Signal.objects.all()] == ["recording.failed"]


def webhook(ago):
    now = timezone.now()
    return WebhookEvent.objects.create(
        event_id="x", event_type="call.initiated", raw=b"{}", received_at=now - ago, due_at=now
    )


def test_silence_while_a_call_lives_is_told_once():
    Call.objects.create(**leg(), conversation="c", line="answered")
    webhook(timedelta(minutes=16))

    assert silence.watch()
    assert silence.watch()

    assert [told.kind for told in Signal.objects.all()] == ["webhooks.silent"]


@pytest.mark.parametrize(("line", "ago"), [("ended", 16), ("answered", 14), ("answered", 60 * 25)])
def test_quiet_hours_are_no_silence(line, ago):
    Call.objects.create(**leg(), conversation="c", line=line)
    webhook(timedelta(minutes=ago))

    assert not silence.watch()


# Who hears


def test_everybody_of_the_desk_hears_and_nobody_else(sam, lee, max, olga):
    tell()
    signals.fan_out_due()

    hears = Notice.objects.values_list("user__username", flat=True)
    assert sorted(hears) == ["lee", "olga", "sam"]


def test_what_is_for_operators_is_for_operators(sam, olga):
    tell(kind="neighbour.down")
    signals.fan_out_due()

    assert list(Notice.objects.values_list("user__username", flat=True)) == ["olga"]


def test_a_choice_counts_and_stored_recordings_are_quiet_unless_chosen(sam, lee):
    NoticeChoice.objects.create(user=lee, kind="call.ended_paused", in_desk=False, by_mail=False)
    NoticeChoice.objects.create(user=lee, kind="recording.stored", in_desk=True, by_mail=False)
    tell("a")
    tell("b", kind="recording.stored")
    signals.fan_out_due()

    heard = set(Notice.objects.values_list("user__username", "signal__kind"))
    assert heard == {("sam", "call.ended_paused"), ("lee", "recording.stored")}


def test_fanning_out_twice_is_fanning_out_once(sam):
    tell()
    (told,) = Signal.objects.all()
    signals.fan_out([told])
    signals.fan_out([told])
    Signal.objects.update(fanned_at=None)  # as if the mark had got lost
    signals.fan_out_due()

    assert Notice.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_fan_out_once(sam):
    for number in range(30):
        tell(str(number))
    start = threading.Barrier(2)

    def work():
        start.wait()
        try:
            signals.fan_out_due()
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

    assert Notice.objects.count() == 30
    assert not Signal.objects.filter(fanned_at=None).exists()


# Mail


@pytest.fixture
def posted(settings):
    settings.EMAIL_URL = "smtp://mail.example"
    settings.PUBLIC_URL = "https://desk.example"
    return mail.outbox


def mail_now():
    Mailbox.objects.filter(due_at__isnull=False).update(due_at=timezone.now())
    return letters.mail_due()


def test_a_storm_is_one_mail(posted, sam):
    mails(sam)
    for number in range(40):
        tell(str(number))
    signals.fan_out_due()

    assert letters.mail_due() == 0  # ten seconds, for what comes along
    assert mail_now() == 1

    (letter,) = posted
    assert letter.to == ["sam@desk.example"]
    assert letter.subject == "[Tapeline] A call ended while paused, and 39 more"
    assert "… and 10 more." in letter.body
    assert "https://desk.example/calls/" in letter.body
    assert Notice.objects.filter(mailed_at=None).count() == 0


def test_the_next_mail_waits_five_minutes(posted, sam):
    mails(sam)
    tell("1")
    signals.fan_out_due()
    mail_now()
    tell("2")
    signals.fan_out_due()

    due_at = Mailbox.objects.get().due_at
    assert timedelta(minutes=4, seconds=50) < due_at - timezone.now() <= timedelta(minutes=5)


def test_without_a_server_or_an_address_nobody_is_mailed(sam, settings):
    mails(sam)
    tell("1")
    signals.fan_out_due()
    settings.EMAIL_URL = "smtp://mail.example"
    User.objects.update(email="")
    tell("2")
    signals.fan_out_due()

    assert not Mailbox.objects.exists()
    assert not Notice.objects.filter(to_mail=True).exists()


def test_a_mail_server_that_is_away_is_tried_again(posted, sam, monkeypatch):
    mails(sam)
    tell()
    signals.fan_out_due()
    real = letters.EmailMessage.send
    monkeypatch.setattr(letters.EmailMessage, "send", lambda self: (_ for _ in ()).throw(OSError))

    mail_now()

    box = Mailbox.objects.get()
    assert box.due_at > timezone.now() + timedelta(seconds=20)
    assert box.error.startswith("OSError")
    monkeypatch.setattr(letters.EmailMessage, "send", real)
    mail_now()
    assert len(posted) == 1
    assert Mailbox.objects.get().failures == 0


def test_who_mails_twice_after_a_kill_says_that_it_is_the_same_mail(posted, sam):
    mails(sam)
    tell()
    signals.fan_out_due()
    Mailbox.objects.update(due_at=timezone.now())
    box = letters._claim(timedelta())
    letters._mail(box, list(Notice.objects.select_related("signal")))  # sent, and killed
    mail_now()

    first, second = (letter.extra_headers["Message-ID"] for letter in posted)
    assert first == second


def test_what_comes_while_a_mail_is_sent_is_in_the_next(posted, sam, monkeypatch):
    mails(sam)
    tell("1")
    signals.fan_out_due()
    real = letters._mail

    def slow(box, notices):
        real(box, notices)
        tell("2")
        signals.fan_out_due()

    monkeypatch.setattr(letters, "_mail", slow)
    mail_now()

    assert Mailbox.objects.get().due_at is not None
    monkeypatch.setattr(letters, "_mail", real)
    mail_now()
    assert len(posted) == 2


# Pages


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


def test_the_bell_counts_and_the_list_marks_as_read(supervisor, sam):
    for number in range(3):
        tell(str(number), subject=f"Thing {number}")
    signals.fan_out_due()

    page = supervisor.get("/notices/").content.decode()

    assert '3<span class="visually-hidden"> unread' in page
    assert page.index("Thing 2") < page.index("Thing 0")
    one = Notice.objects.get(signal__subject="Thing 1")
    supervisor.post("/notices/read/", {"notice": one.pk})
    assert signals.unread(sam) == 2
    newest = Notice.objects.order_by("id").last().pk
    tell("late")
    signals.fan_out_due()
    supervisor.post("/notices/read/", {"newest": newest})
    assert signals.unread(sam) == 1  # what came after the page was shown is still new


def test_nobody_reads_or_marks_what_another_was_told(client, supervisor, lee):
    tell()
    signals.fan_out_due()
    theirs = Notice.objects.get(user=lee)

    supervisor.post("/notices/read/", {"notice": theirs.pk})

    theirs.refresh_from_db()
    assert theirs.read_at is None


def test_the_bell_answers_only_when_it_has_something_else_to_say(supervisor):
    assert supervisor.get("/notices/bell/?have=0").status_code == 204
    tell()
    signals.fan_out_due()

    rung = supervisor.get("/notices/bell/?have=0")

    assert rung.status_code == 200
    assert "A call ended while paused" in rung["Desk-News"]
    assert supervisor.get("/notices/bell/?have=1").status_code == 204


def test_choices_are_a_persons_own(supervisor, sam, lee):
    page = supervisor.get("/notices/choices/").content.decode()
    assert "sends no mail" in page
    assert "neighbour" not in page.lower().split("<main")[1]

    supervisor.post("/notices/choices/", {"desk:recording.stored": "on"})

    tell("a", kind="recording.stored")
    tell("b")
    signals.fan_out_due()
    assert signals.unread(sam) == 1
    assert signals.unread(lee) == 1


def test_without_a_role_there_is_nothing_to_hear(client, max):
    client.force_login(max)

    for page in ("/notices/", "/notices/choices/", "/notices/bell/"):
        assert client.get(page).status_code == 403


@pytest.mark.parametrize("query", ["after=x", "after=-1", "after=99999999999999999999"])
def test_a_place_that_no_link_names_is_a_bad_request(supervisor, query):
    assert supervisor.get(f"/notices/?{query}").status_code == 400


def test_what_is_three_months_old_is_forgotten(sam):
    tell()
    signals.fan_out_due()
    Signal.objects.update(at=timezone.now() - timedelta(days=91))

    assert signals.sweep() == 1
    assert not Notice.objects.exists()
