"""The address book: a number has a name on every page, in searches, and after every change."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from access.models import AuditRow
from calls import board, contacts, contacts_csv
from calls.models import Call, Contact, ContactImport
from recordings.models import Recording, numbers
from recordings.search.index import index
from tests.conftest import leg

pytestmark = pytest.mark.django_db
JANE = ("+12125550100", "Jane Doe", "")


def live_call(**more):
    values = {"from_number": "+12125550100", "to_number": "+18005550101", "line": "answered"}
    ids = leg()
    return Call.objects.create(**ids, **values | more, conversation=ids["call_session_id"])


@pytest.fixture
def supervisor(client, sam):
    client.force_login(sam)
    return client


def body(answer):
    return answer.content.decode()


# Names


def test_a_number_has_its_name_everywhere_it_is_shown(supervisor):
    call = live_call(direction="incoming")
    contacts.put([JANE])

    for address in ("/", call.get_absolute_url()):
        page = body(supervisor.get(address))
        assert "Jane Doe" in page, address
        assert "+12125550100" in page, address


def test_a_name_costs_no_query_a_row(supervisor):
    contacts.put([JANE])

    def queries():
        with CaptureQueriesContext(connection) as taken:
            assert "Jane Doe" in body(supervisor.get("/"))
        return len(taken)

    live_call()
    few = queries()
    for _ in range(30):
        live_call()

    assert queries() <= few  # the first may have read the book


def test_a_change_is_seen_at_once_and_raises_the_version_of_what_is_on_the_board():
    call, other = live_call(), live_call(from_number="+13125550199")
    before = board.versions(now=timezone.now())

    contacts.put([JANE])

    after = board.versions(now=timezone.now())
    assert after[call.conversation] > before[call.conversation]
    assert after[other.conversation] == before[other.conversation]
    assert contacts.name_of("+12125550100") == "Jane Doe"
    contacts.put([("+12125550100", "Jane Roe", "")])
    assert contacts.name_of("+12125550100") == "Jane Roe"
    contacts.delete(Contact.objects.get())
    assert contacts.name_of("+12125550100") == ""


def test_another_process_s_change_is_seen_by_the_next_request(supervisor):
    live_call()
    contacts.put([JANE])
    assert "Jane Doe" in body(supervisor.get("/"))
    Contact.objects.update(name="Somebody Else")  # by a process whose copy is not ours
    contacts.ContactBook.objects.update(stamp="another")

    assert "Somebody Else" in body(supervisor.get("/"))


def test_putting_the_same_again_changes_nothing():
    assert contacts.put([JANE]) == 1
    assert contacts.put([JANE]) == 0


@pytest.mark.parametrize(
    ("typed", "is_now"),
    [
        ("+1 (212) 555-0100", "+12125550100"),
        ("0049 30 901820", "+4930901820"),
        (" +442079460000 ", "+442079460000"),
    ],
)
def test_numbers_are_kept_in_one_spelling(typed, is_now):
    assert contacts.normal(typed) == is_now


@pytest.mark.parametrize(
    "typed", ["", "212 555 0100", "+1", "+abc", "sip:me@x", "+999999999999999"]
)
def test_what_is_no_number_is_refused_with_what_is_wrong(typed):
    with pytest.raises(contacts.NotANumber):
        contacts.normal(typed)


@pytest.mark.parametrize(
    ("text", "found"), [("jane", 2), ("doe jane", 1), ("JÄNE", 0), ("", 0), ("äpfel", 1)]
)
def test_numbers_are_found_by_words_of_the_name(text, found):
    contacts.put([JANE, ("+12125550101", "Jane Roe", ""), ("+12125550102", "Äpfel AG", "")])

    assert len(contacts.numbers_of(text)) == found


# Search


@pytest.fixture
def stored():
    call, now = live_call(), timezone.now()
    made = Recording.objects.create(
        call=call,
        since=now,
        announced_at=now,
        started_at=now,
        **numbers("+12125550100", "+18005550101"),
    )
    index(made.pk)
    return made


@pytest.mark.parametrize("query", ["number=jane", "party=jane+doe", "party=Doe", "number=0100"])
def test_the_library_finds_the_recordings_of_a_name(supervisor, stored, query):
    contacts.put([JANE])

    assert str(stored.pk) in body(supervisor.get(f"/recordings/?{query}"))


@pytest.mark.parametrize("query", ["number=roe", "party=roe"])
def test_and_not_those_of_another(supervisor, stored, query):
    contacts.put([JANE, ("+13125550199", "Richard Roe", "")])

    assert str(stored.pk) not in body(supervisor.get(f"/recordings/?{query}"))


# Pages


def test_a_contact_is_added_changed_found_and_deleted(supervisor):
    typed = {"number": "+1 212 555 0100", "name": "  Jane   Doe ", "note": "VIP"}
    supervisor.post("/contacts/", typed)
    one = Contact.objects.get()
    assert (one.number, one.name, one.note) == ("+12125550100", "Jane Doe", "VIP")
    for asked in ("jane", "5550100"):
        assert "Jane Doe" in body(supervisor.get(f"/contacts/?q={asked}"))
    assert "No contact fits" in body(supervisor.get("/contacts/?q=nobody"))

    supervisor.post(f"/contacts/{one.pk}/", {"number": "+12125550199", "name": "Jane Roe"})

    one = Contact.objects.get()
    assert (one.number, one.name, one.note) == ("+12125550199", "Jane Roe", "")
    supervisor.post(f"/contacts/{one.pk}/delete/")
    assert not Contact.objects.exists()
    verbs = AuditRow.objects.filter(subject__startswith="contact").order_by("id")
    assert list(verbs.values_list("verb", flat=True)) == ["add", "change", "delete"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"number": "5550100", "name": "X"}, "has no country code"),
        ({"number": "+12125550100", "name": ""}, "required"),
        ({"number": "+12125550100", "name": "X"}, "is Jane Doe already"),
        ({"number": "+12125550111", "name": "x" * 81}, "80"),
    ],
)
def test_bad_input_is_named(supervisor, typed, said):
    contacts.put([JANE])

    answered = supervisor.post("/contacts/", typed)

    assert answered.status_code == 422
    assert said in body(answered)
    assert Contact.objects.count() == 1


def test_without_a_role_there_is_no_book(client, max):
    client.force_login(max)

    for page in ("/contacts/", "/contacts/import/", "/contacts/contacts.csv"):
        assert client.get(page).status_code == 403


# Files


def upload(client, text, name="people.csv"):
    raw = text if isinstance(text, bytes) else text.encode()
    return client.post("/contacts/import/", {"file": SimpleUploadedFile(name, raw)})


def test_a_file_is_shown_before_it_is_taken(supervisor):
    contacts.put([JANE, ("+12125550101", "Old Name", "")])
    text = (
        "\ufeffName;Number;Note\r\nJane Doe;+12125550100;\r\nNew Name;+1 212 555 0101;\r\n"
        'Bob;0049 30 901820;"two\nlines"\r\n;;\r\nNo Code;5550100;\r\nBob again;+4930901820;\r\n'
        ";+13125550100;\r\n"
    )

    page = body(upload(supervisor, text))

    assert "1 new" in page
    assert "1 changed" in page
    assert "1 as they are" in page
    assert "Line 7: &#x27;5550100&#x27; has no country code" in page
    assert "Line 8: +4930901820 is on line 5 already." in page
    assert "Line 9: +13125550100 has no name." in page
    assert Contact.objects.count() == 2  # nothing is written yet
    kept = ContactImport.objects.get()
    supervisor.post(f"/contacts/import/{kept.pk}/")
    assert dict(Contact.objects.values_list("number", "name")) == {
        "+12125550100": "Jane Doe",
        "+12125550101": "New Name",
        "+4930901820": "Bob",
    }
    again = supervisor.post(f"/contacts/import/{kept.pk}/", follow=True)
    assert "imported already" in body(again)


def test_another_person_s_file_is_not_there(supervisor, lee):
    kept = ContactImport.objects.create(by=lee, file_name="x", rows=[JANE])

    supervisor.post(f"/contacts/import/{kept.pk}/")

    assert not Contact.objects.exists()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "number and name"),
        (b"phone,who\n", "number and name is missing. It holds: phone, who."),
        (b"number,name\n+1\xff,x\n", "not UTF-8 text (byte 14)"),
        (b"number,name\n\0", "NUL"),
        (b'number,name\n"' + b"x" * 140_000, "is no CSV"),
        (b"number,name\n" + b"x" * contacts_csv.MOST_BYTES, "larger than the limit of 5 MiB"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(supervisor, raw, said):
    answered = upload(supervisor, raw)

    assert answered.status_code == 422
    assert said in body(answered).replace("&#x27;", "'")


def test_a_huge_upload_is_refused_before_it_is_read(supervisor):
    answered = supervisor.generic(
        "POST", "/contacts/import/", b"x", "text/csv", CONTENT_LENGTH=str(10**9)
    )

    assert answered.status_code == 413


def test_an_import_needs_the_token_of_the_page(sam):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    strict.force_login(sam)

    assert upload(strict, "number,name\n").status_code == 403


def test_too_many_contacts_in_a_file_are_too_many(monkeypatch):
    monkeypatch.setattr(contacts_csv, "MOST_ROWS", 3)
    lines = "\n".join(f"+1212555010{n},N" for n in range(4))

    with pytest.raises(contacts_csv.Unreadable, match="more than 3 contacts"):
        contacts_csv.read(f"number,name\n{lines}")


def test_what_is_exported_is_imported_again_and_runs_in_no_spreadsheet(supervisor):
    book = [JANE, ("+4930901820", "=SUM(A1)", '+cmd, "quoted"'), ("+442079460000", "Ä\u2019", "")]
    contacts.put(book)

    answered = supervisor.get("/contacts/contacts.csv")

    text = b"".join(answered.streaming_content).decode("utf-8")
    assert ",=SUM" not in text
    assert "'=SUM(A1)" in text
    file = io.BytesIO(text.encode())
    file.name = "x.csv"
    reading = contacts_csv.read(text.removeprefix("\ufeff"))
    assert sorted(reading.rows) == sorted(book)
    assert reading.faults == []
