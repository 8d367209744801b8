"""Operators keep the tags tidy: they rename, merge and delete them, and the trail says so."""

from functools import partial

import pytest
from django.urls import reverse

from access.models import AuditRow
from recordings import notes
from recordings.models import Tag, Tagging
from tests.test_recording_pages import make
from tests.test_tags import tags
from tests.together import together

pytestmark = pytest.mark.django_db


@pytest.fixture
def olga_in(client, olga):
    client.force_login(olga)
    return client


def admin_page(name, *args):
    return reverse(f"admin:recordings_tag_{name}", args=args)


def test_operators_rename_a_tag_in_its_one_spelling_and_the_trail_says_so(olga_in, sam):
    notes.tag([make()], "refnud", sam)
    tag = Tag.objects.get()
    answer = olga_in.post(
        admin_page("change", tag.pk), {"name": " Refund ", "colour": "red"}, follow=True
    )
    assert answer.status_code == 200
    tag.refresh_from_db()
    assert (tag.name, tag.colour) == ("refund", "red")
    row = AuditRow.objects.get(verb="rename tag")
    assert (row.name, row.details["old"], row.details["new"]) == ("olga", "refnud", "refund")


def test_a_name_that_is_taken_is_refused_with_the_way_out(olga_in, sam):
    recording = make()
    notes.tag([recording], "refund", sam)
    notes.tag([recording], "refunds", sam)
    tag = Tag.objects.get(name="refunds")
    page = olga_in.post(admin_page("change", tag.pk), {"name": "Refund", "colour": "red"})
    assert "There is a tag refund already: merge the two in the list." in page.content.decode()


def test_merging_keeps_the_most_used_tag_and_every_recording_once(olga_in, sam):
    one, two, three = make(), make(), make()
    notes.tag([one, two], "refund", sam)
    notes.tag([two, three], "refunds", sam)
    notes.tag([three], "money back", sam)
    notes.tag([make()], "refund", sam)
    chosen = {"action": "merge", "_selected_action": [tag.pk for tag in Tag.objects.all()]}

    page = olga_in.post(admin_page("changelist"), chosen, follow=True).content.decode()

    assert "merged into refund" in page
    assert list(Tag.objects.values_list("name", flat=True)) == ["refund"]
    assert [tags(it) for it in (one, two, three)] == [["refund"]] * 3
    row = AuditRow.objects.get(verb="merge tags")
    assert row.details == {"into": "refund", "gone": ["money back", "refunds"]}


def test_merging_one_tag_asks_for_another(olga_in, sam):
    notes.tag([make()], "refund", sam)
    chosen = {"action": "merge", "_selected_action": [Tag.objects.get().pk]}
    page = olga_in.post(admin_page("changelist"), chosen, follow=True).content.decode()
    assert "Select at least two tags" in page
    assert Tag.objects.count() == 1


def test_a_deleted_tag_is_off_every_recording_and_the_page_says_of_how_many(olga_in, sam):
    notes.tag([make(), make()], "refund", sam)
    tag = Tag.objects.get()
    asked = olga_in.get(admin_page("delete", tag.pk)).content.decode()
    assert "refund (recordings: 2)" in asked
    olga_in.post(admin_page("delete", tag.pk), {"post": "yes"})
    assert not Tagging.objects.exists()
    assert AuditRow.objects.get(verb="delete tag").details == {"tag": "refund"}


def test_selected_tags_are_deleted_and_noted_one_by_one(olga_in, sam):
    notes.tag([make()], "a", sam)
    notes.tag([make()], "b", sam)
    pks = [tag.pk for tag in Tag.objects.all()]
    chosen = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
    olga_in.post(admin_page("changelist"), chosen)
    assert not Tag.objects.exists()
    assert AuditRow.objects.filter(verb="delete tag").count() == 2


def test_the_admin_of_tags_is_for_operators(client, sam):
    client.force_login(sam)
    assert client.get(admin_page("changelist")).status_code in (302, 403)


def test_the_list_of_tags_shows_how_often_each_is_used(olga_in, sam):
    notes.tag([make(), make()], "refund", sam)
    page = olga_in.get(admin_page("changelist")).content.decode()
    assert "refund" in page
    assert '<td class="field-recordings">2</td>' in page


def test_comments_are_nowhere_in_the_admin(olga_in):
    assert "omment" not in olga_in.get(reverse("admin:index")).content.decode()


@pytest.mark.django_db(transaction=True)
def test_what_is_tagged_while_tags_are_merged_ends_in_the_merged_tag_or_stays_tagged(sam):
    for number in range(8):
        used, late = make(), make()
        notes.tag([used, make(), make()], f"refund {number}", sam)  # the most used, come what may
        notes.tag([used], f"refunds {number}", sam)
        known = Tag.objects.filter(name__in=[f"refund {number}", f"refunds {number}"])
        together(
            partial(notes.merge, list(known), sam),
            partial(notes.tag, [late], f"refunds {number}", sam),
        )
        assert tags(used) == [f"refund {number}"]
        # before the merge: moved with it; after it: the name is a new tag
        assert tags(late) in ([f"refund {number}"], [f"refunds {number}"])
