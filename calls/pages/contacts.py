"""The pages of the address book: search, add, change, delete, from and to a file."""

from datetime import timedelta
from uuid import UUID

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import audit
from access.policies import Right, needs
from calls import contacts as book
from calls import contacts_csv
from calls.models import Contact, ContactImport

PAGE = 50
LONGEST = 80
AROUND_IT = 65_536  # bytes of the form around the file
KEPT_FOR = timedelta(hours=1)  # a file waits so long for its yes


class ContactForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    """A number and whose it is."""

    number = forms.CharField(
        label="Number", max_length=40, help_text="With its country code, like +1 212 555 0100."
    )

    class Meta:
        model = Contact
        fields = ["number", "name", "note"]
        labels = {"name": "Name", "note": "Note"}

    def clean_number(self) -> str:
        """Return the number as E.164 writes it, if nobody else has it."""
        try:
            number = book.normal(self.cleaned_data["number"])
        except book.NotANumber as exc:
            raise forms.ValidationError(str(exc)) from exc
        taken = Contact.objects.filter(number=number).exclude(pk=self.instance.pk).first()
        if taken is not None:
            raise forms.ValidationError(f"{number} is {taken.name} already.")
        return number

    def clean_name(self) -> str:
        return " ".join(str(self.cleaned_data["name"]).split())

    @property
    def row(self) -> tuple[str, str, str]:
        """What it holds, as the book takes it."""
        typed = self.cleaned_data
        return typed["number"], typed["name"], typed["note"]


@needs(Right.SEE)
@require_http_methods(["GET", "HEAD", "POST"])
def contacts(request: HttpRequest) -> HttpResponse:
    """List the contacts, or those that fit what is searched for; add one."""
    if request.method != "POST":
        start = {"number": request.GET.get("number", "")[:40]}
        return _page(request, ContactForm(initial=start, auto_id="new-%s"))
    form = ContactForm(request.POST, auto_id="new-%s")
    if form.is_valid() and Contact.objects.count() >= book.MOST:
        form.add_error(None, f"There are {book.MOST:,} contacts, which is the limit.")
    if not form.is_valid():
        return _page(request, form, status=422)
    book.put([form.row])
    number, name, _ = form.row
    audit.record(request.user, "add", f"contact {number}", name=name)
    messages.success(request, f"{number} is {name} from now on.")
    return redirect("contacts:list")


def _page(request: HttpRequest, form: ContactForm, status: int = 200) -> HttpResponse:
    asked = " ".join(request.GET.get("q", "").replace("\0", "").split())[:LONGEST]
    found = Contact.objects.all()
    if asked:
        digits = "".join(filter(str.isdigit, asked))
        is_number = bool(digits) and not any(map(str.isalpha, asked))
        numbers = book.numbers_of(asked)
        found = (
            found.filter(number__contains=digits)
            if is_number
            else found.filter(number__in=numbers)
        )
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    context = {"page": page, "asked": asked, "form": form}
    return render(request, "contacts/list.html", context, status=status)


@needs(Right.SEE)
@require_http_methods(["GET", "HEAD", "POST"])
def contact(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one contact and change it."""
    one = get_object_or_404(Contact, pk=pk)
    number = one.number
    form = ContactForm(request.POST or None, instance=one, auto_id="change-%s")
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            if form.row[0] != number:
                book.delete(Contact.objects.get(pk=pk))
            book.put([form.row])
        audit.record(
            request.user, "change", f"contact {number}", number=form.row[0], name=form.row[1]
        )
        messages.success(request, f"{form.row[0]} is {form.row[1]} from now on.")
        return redirect("contacts:list")
    status = 422 if form.is_bound else 200
    context = {"form": form, "contact": Contact.objects.get(pk=pk)}
    return render(request, "contacts/detail.html", context, status=status)


@needs(Right.SEE)
@require_POST
def delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a contact; its calls and recordings stay."""
    one = get_object_or_404(Contact, pk=pk)
    audit.record(request.user, "delete", one.subject, name=one.name)
    book.delete(one)
    messages.success(request, f"{one.number} has no name any more.")
    return redirect("contacts:list")


@csrf_exempt  # `_read` is protected: the check reads the body, whose size is looked at first
@needs(Right.SEE)
@require_http_methods(["GET", "HEAD", "POST"])
def read(request: HttpRequest) -> HttpResponseBase:
    """Read a file of contacts, and show what it would change before it does."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not announced.isdigit() or int(announced) > contacts_csv.MOST_BYTES + AROUND_IT:
        fault = f"The file is larger than the limit of {contacts_csv.MOST_BYTES >> 20} MiB."
        context = _limits() | {"fault": fault}
        return render(request, "contacts/import.html", context, status=413)
    return _read(request)


@csrf_protect
def _read(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return render(request, "contacts/import.html", _limits())
    file = request.FILES.get("file")
    try:
        if not isinstance(file, UploadedFile):
            raise contacts_csv.Unreadable("Choose a file first.")
        reading = contacts_csv.read(contacts_csv.load(file))
    except contacts_csv.Unreadable as exc:
        return render(request, "contacts/import.html", _limits() | {"fault": exc}, status=422)
    ContactImport.objects.filter(at__lt=timezone.now() - KEPT_FOR).delete()
    assert isinstance(request.user, User)  # noqa: S101  (`needs` saw to it)
    name = (file.name or "")[-120:]
    kept = ContactImport.objects.create(by=request.user, file_name=name, rows=reading.rows)
    new, changed = book.new_and_changed(reading.rows)
    context = {
        "reading": reading,
        "kept": kept,
        "new": new,
        "changed": changed,
        "same": len(reading.rows) - new - changed,
        "some": reading.rows[:10],
    }
    return render(request, "contacts/preview.html", context)


def _limits() -> dict[str, object]:
    return {"megabytes": contacts_csv.MOST_BYTES >> 20, "rows": contacts_csv.MOST_ROWS}


@needs(Right.SEE)
@require_POST
def keep(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Add and update what the preview showed."""
    kept = ContactImport.objects.filter(pk=pk, by=request.user.pk).first()
    if kept is None:
        messages.warning(
            request, "That file was imported already, or an hour passed: read it again."
        )
        return redirect("contacts:import")
    rows = [(str(number), str(name), str(note)) for number, name, note in kept.rows]
    new, _ = book.new_and_changed(rows)
    if Contact.objects.count() + new > book.MOST:
        raise BadRequest(f"there would be more than {book.MOST} contacts, which is the limit")
    audit.record(request.user, "import", "contacts", file=kept.file_name, rows=len(rows))
    changed = book.put(rows)
    kept.delete()
    messages.success(request, f"{changed} contact{'s' * (changed != 1)} added or changed.")
    return redirect("contacts:list")


@needs(Right.SEE)
@require_safe
def export(request: HttpRequest) -> StreamingHttpResponse:
    """Send the whole book as a file that an import takes back."""
    audit.record(request.user, "export", "contacts", rows=Contact.objects.count())
    lines = contacts_csv.write()
    answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="contacts.csv"'
    answer["Cache-Control"] = "private, no-store"
    return answer
