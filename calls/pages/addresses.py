"""The form of an address that the desk posts to, and what a test of it came to, in words."""

from urllib.parse import urlsplit

from django import forms
from django.conf import settings

from calls import outbound
from calls.models import Endpoint, Neighbour
from calls.signals import KINDS

INSIDE = "This is inside our network"
INSIDE_HELP = (
    "Allows private addresses, and http:// to them. Leave it off for anything on the internet."
)
LABELS = {"name": "Name", "url": "Address", "is_inside": INSIDE}


class AddressForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    """A name and an address, which is refused with its fault named."""

    def clean_name(self) -> str:
        """Keep names apart that people would take for the same."""
        name = " ".join(str(self.cleaned_data["name"]).split())
        taken = self._meta.model.objects.filter(name__iexact=name)
        if taken.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(f"There is one called “{name}” already.")
        return name

    def clean(self) -> dict[str, object]:
        url = str(self.cleaned_data.get("url", "")).strip()
        if url:
            try:
                outbound.check_url(url, inside=bool(self.cleaned_data.get("is_inside")))
            except outbound.Forbidden as exc:
                self.add_error("url", str(exc))
            if _is_our_door(url):
                self.add_error("url", "This is the desk's own webhook address.")
            self.cleaned_data["url"] = url
        return self.cleaned_data


def _is_our_door(url: str) -> bool:
    ours, theirs = urlsplit(f"{settings.PUBLIC_URL}/webhooks/telnyx"), urlsplit(url)
    return ours.netloc == theirs.netloc and ours.path == theirs.path.rstrip("/")


class NeighbourForm(AddressForm):
    """A neighbour."""

    class Meta:
        model = Neighbour
        fields = ["name", "url", "is_inside"]
        labels = LABELS
        help_texts = {"is_inside": INSIDE_HELP}


class EndpointForm(AddressForm):
    """An endpoint, and what it is told."""

    kinds = forms.MultipleChoiceField(
        label="What it is told",
        choices=[(kind.name, kind.label) for kind in KINDS.values()],
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one."},
    )

    class Meta:
        model = Endpoint
        fields = ["name", "url", "is_inside", "kinds"]
        labels = LABELS
        help_texts = {"is_inside": INSIDE_HELP}
