"""Saved views of the library: lists worth coming back to, one's own or shared with the desk."""

from collections.abc import Sequence
from typing import cast

from django import forms
from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import IntegrityError, transaction
from django.db.models import Q

from recordings.models import SavedView

Person = AbstractBaseUser | AnonymousUser

MOST = 50  # a person's own: a menu of more is read by nobody
LONGEST_QUERY = 2000


class ViewForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    """What its owner says of a view. The list itself is saved, not typed."""

    class Meta:
        model = SavedView
        fields = ["name", "is_shared", "is_default"]
        labels = {
            "name": "Name",
            "is_shared": "Shared: everybody at this desk sees it",
            "is_default": "Open it whenever I go to Recordings",
        }

    def __init__(self, *args: object, owner: Person, **more: object) -> None:
        super().__init__(*args, **more)  # type: ignore[arg-type]  # as Django passes them
        self.owner = owner

    def clean_name(self) -> str:
        """Keep names apart that people would take for the same."""
        name = " ".join(self.cleaned_data["name"].split())
        taken = SavedView.objects.filter(owner=self.owner.pk, name__iexact=name)
        if taken.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(f"You have a view called “{name}” already.")
        return name

    def clean(self) -> dict[str, object]:
        if not self.instance.pk and SavedView.objects.filter(owner=self.owner.pk).count() >= MOST:
            raise forms.ValidationError(f"You have {MOST} views, which is the limit: delete one.")
        return self.cleaned_data

    def keep(self, query: str | None = None) -> bool:
        """Save the view, of a list if that is given; False if another of this name came first."""
        view = self.instance
        view.owner_id = cast("int", self.owner.pk)  # who saves is signed in
        if query is not None:
            view.query = query
        try:
            with transaction.atomic():
                if view.is_default:
                    mine = SavedView.objects.filter(owner=view.owner_id, is_default=True)
                    mine.exclude(pk=view.pk).update(is_default=False)
                view.save()
        except IntegrityError:
            self.add_error("name", f"You have a view called “{view.name}” already.")
            return False
        return True


def seen_by(user: Person) -> list[SavedView]:
    """Return a person's views, their own first, then what others share."""
    views = SavedView.objects.filter(Q(owner=user.pk) | Q(is_shared=True)).select_related("owner")
    return sorted(views[:500], key=lambda view: (view.owner_id != user.pk, view.name.lower()))


def default_of(views: Sequence[SavedView], user: Person) -> SavedView | None:
    """Return the view that a person opens the library with."""
    return next((one for one in views if one.is_default and one.owner_id == user.pk), None)
