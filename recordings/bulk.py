"""What is done to many recordings at once: tags, and the reviewed mark. Each may be done twice.

Each batch is one short transaction with its audit rows, so a stop in the middle loses nothing that
was told, and leaves nothing untold.
"""

from collections.abc import Callable, Iterator
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser
from django.db import transaction
from django.utils import timezone

from access import audit
from recordings.models import Recording, Review, Tag, Tagging

Person = AbstractBaseUser | AnonymousUser

STEP = 200
LONGEST_TAG = 40


class Unusable(Exception):
    """No tag can have this name; the text says why."""


def tag_name(text: str) -> str:
    """Return a tag's name in its one spelling. Raises Unusable."""
    name = " ".join(text.lower().split())
    if not name:
        raise Unusable("Type the name of the tag first.")
    if len(name) > LONGEST_TAG:
        raise Unusable(f"The tag has {len(name)} characters, the limit is {LONGEST_TAG}.")
    if not name.isprintable():
        raise Unusable("The tag holds a character that cannot be shown.")
    return name


def tag(keys: list[UUID], name: str, *, by: Person) -> int:
    """Put a tag on recordings; return how many did not have it. Raises Unusable."""
    wanted, _ = Tag.objects.get_or_create(name=tag_name(name))

    def put(recordings: list[Recording]) -> list[Recording]:
        now = timezone.now()
        has = Tagging.objects.filter(tag=wanted, recording__in=recordings)
        known = set(has.values_list("recording_id", flat=True))
        lacking = [one for one in recordings if one.pk not in known]
        Tagging.objects.bulk_create(
            [
                Tagging(tag=wanted, recording=one, place=one.place, by_id=by.pk, at=now)
                for one in lacking
            ],
            ignore_conflicts=True,
        )
        return lacking

    return _each(keys, put, by=by, verb="tag", tag=wanted.name)


def untag(keys: list[UUID], name: str, *, by: Person) -> int:
    """Take a tag off recordings; return how many had it. Raises Unusable."""
    name = tag_name(name)

    def take(recordings: list[Recording]) -> list[Recording]:
        taggings = Tagging.objects.filter(tag__name=name, recording__in=recordings)
        had = set(taggings.values_list("recording_id", flat=True))
        taggings.delete()
        return [one for one in recordings if one.pk in had]

    return _each(keys, take, by=by, verb="untag", tag=name)


def review(keys: list[UUID], *, by: Person) -> int:
    """Mark recordings as reviewed; return how many were not."""

    def mark(recordings: list[Recording]) -> list[Recording]:
        lacking = [one for one in recordings if not one.reviewed]
        Review.objects.bulk_create(
            [Review(recording=one) for one in lacking], ignore_conflicts=True
        )
        reviews = Review.objects.filter(recording__in=lacking, reviewed_at=None)
        reviews.update(reviewed_at=timezone.now(), reviewed_by=by.get_username())
        return lacking

    return _each(keys, mark, by=by, verb="review")


def _each(
    keys: list[UUID],
    change: Callable[[list[Recording]], list[Recording]],
    *,
    by: Person,
    verb: str,
    **details: object,
) -> int:
    """Change recordings some at a time, and note those that it changed."""
    count = 0
    for some in _batches(keys):
        with transaction.atomic():
            recordings = list(Recording.objects.visible_to(by).filter(pk__in=some))
            changed = change(recordings)
            columns = {"reviewed": True} if verb == "review" else {}
            Recording.objects.filter(pk__in=[one.pk for one in changed]).change(**columns)
            audit.record_each(by, verb, [one.subject for one in changed], **details)
        count += len(changed)
    return count


def _batches(keys: list[UUID]) -> Iterator[list[UUID]]:
    for start in range(0, len(keys), STEP):
        yield keys[start : start + STEP]
