"""Who may do what. Roles are groups; a right belongs to roles; superusers have every right."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet, TextChoices
from django.http import HttpRequest, HttpResponseBase

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


class Role(TextChoices):
    SUPERVISOR = "supervisor"
    REVIEWER = "reviewer"
    OPERATOR = "operator"


class Right(TextChoices):
    SEE = "see calls and recordings"
    CONTROL = "control calls"
    SOUNDS = "manage phrases and sounds"
    LISTEN = "listen to recordings"
    DOWNLOAD = "download recordings"
    ANNOTATE = "write notes on recordings"
    CORRECT = "correct transcripts"
    DELETE = "delete recordings"
    SUPERVISE = "listen in on live calls"
    OPERATE = "operate the desk"


HOLDERS: dict[Right, frozenset[Role]] = {
    Right.SEE: frozenset({Role.SUPERVISOR, Role.REVIEWER, Role.OPERATOR}),
    Right.CONTROL: frozenset({Role.SUPERVISOR}),
    Right.SOUNDS: frozenset({Role.SUPERVISOR, Role.OPERATOR}),
    Right.LISTEN: frozenset({Role.SUPERVISOR, Role.REVIEWER}),
    Right.DOWNLOAD: frozenset({Role.SUPERVISOR}),
    Right.ANNOTATE: frozenset({Role.SUPERVISOR, Role.REVIEWER}),
    Right.CORRECT: frozenset({Role.SUPERVISOR, Role.REVIEWER}),
    Right.DELETE: frozenset({Role.SUPERVISOR}),
    Right.SUPERVISE: frozenset({Role.SUPERVISOR}),
    Right.OPERATE: frozenset({Role.OPERATOR}),
}


def roles(user: AbstractBaseUser | AnonymousUser) -> frozenset[Role]:
    """Return the roles of a person; asked of the database once per user object."""
    if not isinstance(user, User) or not user.is_active:
        return frozenset()
    known: frozenset[Role] | None = getattr(user, "_desk_roles", None)
    if known is None:
        names = set(user.groups.values_list("name", flat=True))
        known = frozenset(role for role in Role if user.is_superuser or role.value in names)
        user._desk_roles = known  # type: ignore[attr-defined]
    return known


def may(user: AbstractBaseUser | AnonymousUser, right: Right) -> bool:
    """Say whether one of the person's roles holds the right."""
    return not roles(user).isdisjoint(HOLDERS[right])


def holders(right: Right) -> "QuerySet[User]":
    """Return the people who hold a right."""
    named = Q(groups__name__in=HOLDERS[right]) | Q(is_superuser=True)
    return User.objects.filter(named, is_active=True).distinct()


def needs(right: Right) -> Callable[[View[P]], View[P]]:
    """Answer 403 for a signed-in person who does not hold the right."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def gated(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if not may(request.user, right):
                raise PermissionDenied(f"Your account may not {right.value}.")
            return view(request, *args, **kwargs)

        return cast("View[P]", gated)  # wraps() hides the signature that stays the same

    return decorate
