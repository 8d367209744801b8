"""Operators see where every file is and fetch it again; what was said is not theirs to read."""

import pytest
from django.urls import reverse
from django.utils import timezone

from access.models import AuditRow
from recordings import admin
from recordings.models import Caption, Recording
from tests.test_recording_pages import caption, make, say

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def rings(monkeypatch):
    lanes = []
    monkeypatch.setattr(admin, "ring", lanes.append)
    return lanes


@pytest.fixture
def olga_in(client, olga):
    client.force_login(olga)
    return client


def page(name, *args):
    return reverse(f"admin:recordings_{name}", args=args)


def fetch_again(client, *recordings):
    chosen = {"action": "fetch_again", "_selected_action": [one.pk for one in recordings]}
    return client.post(page("recording_changelist"), chosen, follow=True).content.decode()


def test_an_operator_queues_what_is_lacking_and_the_trail_says_so(olga_in, olga, rings):
    failed = make(state="failed", reason="The disk of the store is gone.", attempts=7)
    stored = make()

    answer = fetch_again(olga_in, failed, stored)

    failed.refresh_from_db()
    stored.refresh_from_db()
    assert (failed.state, failed.attempts, failed.reason) == ("announced", 7, "")
    assert failed.due_at <= timezone.now()
    assert stored.state == "stored"
    assert "1 queued. 1 need no download now." in answer
    assert rings == ["media"]
    row = AuditRow.objects.get()
    assert (row.who, row.verb) == (olga, "fetch again")


def test_too_many_at_once_are_refused(olga_in, monkeypatch, rings):
    monkeypatch.setattr(admin, "MOST_FETCHED", 1)
    one, two = make(state="failed"), make(state="failed")
    assert "More than 1 recordings are selected" in fetch_again(olga_in, one, two)
    assert rings == []


def test_the_lists_and_pages_show_no_link_and_nothing_that_was_said(olga_in):
    recording = make(urls={"wav": "https://s3.amazonaws.com/x?X-Amz-Signature=topsecret"})
    transcript = say(recording, "topsecret words")
    said = caption(recording, "topsecret caption", 1)
    for address in (
        page("recording_changelist"),
        page("recording_change", recording.pk),
        page("transcript_changelist"),
        page("transcript_change", transcript.pk),
        page("caption_changelist"),
        page("caption_change", said.pk),
        page("recording_changelist") + f"?q={recording.pk}",
        page("recording_changelist") + "?state__exact=stored",
        page("transcript_changelist") + f"?q={recording.recording_id}",
    ):
        answer = olga_in.get(address)
        assert answer.status_code == 200
        assert "topsecret" not in answer.content.decode()


def test_a_recording_is_found_by_its_id(olga_in):
    recording, other = make(), make()
    for term in (recording.pk, recording.recording_id, recording.call.call_leg_id):
        html = olga_in.get(page("recording_changelist"), {"q": term}).content.decode()
        assert str(recording.pk) in html
        assert str(other.pk) not in html


def test_evidence_cannot_be_changed_or_deleted(olga_in):
    recording = make()
    said = caption(recording, "hello", 1)
    assert olga_in.post(page("recording_delete", recording.pk), {"post": "yes"}).status_code == 403
    assert olga_in.post(page("caption_delete", said.pk), {"post": "yes"}).status_code == 403
    olga_in.post(page("recording_change", recording.pk), {"state": "deleted"})
    assert Recording.objects.get().state == "stored"
    assert Caption.objects.count() == 1


def test_supervisors_have_no_business_here(client, sam):
    client.force_login(sam)
    assert client.get(page("recording_changelist")).status_code in (302, 403)
