"""What people mark recordings with: tags, a flag with its reason, the reviewed mark.

Each verb takes one recording or thousands, changes those that are not so yet, writes a row of the
audit trail for each in the same transaction, and returns how many it changed: of two people who
press at once, one hears 1 and the other 0. Who may is for the views to ask.
"""

import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from uuid import UUID

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from access import audit
from calls.wishes import name as name_of
from recordings.models import Recording, Review, Tag, Tagging

BATCH = 500  # rows in one transaction: SQLite has one writer, and webhooks wait for it
MOST_TAGS = 20  # on one recording
LONGEST_TAG = 40
LONGEST_REASON = 200

Person = AbstractBaseUser | AnonymousUser
Change = Callable[[list[Recording]], list[Recording]]


class Invalid(ValueError):
    """Says what is wrong with the name of a tag or with a reason."""


def tag_name(text: str) -> str:
    """Return a tag as it is kept: in lower case, with single spaces. Raises Invalid."""
    name = " ".join(unicodedata.normalize("NFKC", text).lower().split())
    if not name:
        raise Invalid("Write the name of the tag.")
    if not name.isprintable():
        raise Invalid("The name holds a character that cannot be seen.")
    if len(name) > LONGEST_TAG:
        raise Invalid(f"The name has {len(name)} characters, the limit is {LONGEST_TAG}.")
    return name


def colour_of(name: str) -> str:
    """Return the colour a new tag gets: the same name gets the same one on every desk."""
    return Tag.COLOURS[zlib.crc32(name.encode()) % len(Tag.COLOURS)]


def person(by: Person) -> str:
    """Return how pages call who did it, also when the account is gone."""
    return name_of(by if isinstance(by, User) else None)[:150]


def tag(recordings: Iterable[Recording], name: str, by: Person) -> int:
    """Put a tag on recordings that lack it and have room for it. Raises Invalid."""
    word = tag_name(name)

    def put(held: list[Recording]) -> list[Recording]:
        tags = _tags_of(held)
        wanting = [it for it in held if word not in tags[it.pk] and len(tags[it.pk]) < MOST_TAGS]
        if wanting:
            known = _known_tag(word)
            by_id, now = by.pk, timezone.now()
            Tagging.objects.bulk_create(
                Tagging(tag=known, recording=it, place=it.place, by_id=by_id, at=now)
                for it in wanting
            )
        return wanting

    return _change(recordings, put, by, "tag", {}, tag=word)


def untag(recordings: Iterable[Recording], name: str, by: Person) -> int:
    """Take a tag off recordings. Raises Invalid."""
    word = tag_name(name)

    def take(held: list[Recording]) -> list[Recording]:
        gone = Tagging.objects.filter(recording__in=held, tag__name=word)
        having = set(gone.values_list("recording_id", flat=True))
        gone.delete()
        return [it for it in held if it.pk in having]

    return _change(recordings, take, by, "untag", {}, tag=word)


def flag(recordings: Iterable[Recording], reason: str, by: Person) -> int:
    """Flag recordings that are not; the reason of those that are stays. Raises Invalid."""
    if not 0 < len(reason) <= LONGEST_REASON:
        limit = f"the limit is {LONGEST_REASON}"
        raise Invalid(
            f"The reason has {len(reason)} characters, {limit}." if reason else "Say why."
        )

    def put(held: list[Recording]) -> list[Recording]:
        wanting = [it for it in held if not it.flagged]
        now = timezone.now()
        _write(wanting, flagged_at=now, flagged_by=person(by), flag_reason=reason)
        return wanting

    return _change(recordings, put, by, "flag", {"flagged": True}, reason=reason)


def unflag(recordings: Iterable[Recording], by: Person) -> int:
    """Take the flag off recordings."""

    def take(held: list[Recording]) -> list[Recording]:
        having = [it for it in held if it.flagged]
        _write(having, flagged_at=None, flagged_by="", flag_reason="")
        return having

    return _change(recordings, take, by, "unflag", {"flagged": False})


def review(recordings: Iterable[Recording], by: Person) -> int:
    """Mark recordings as reviewed."""

    def put(held: list[Recording]) -> list[Recording]:
        wanting = [it for it in held if not it.reviewed]
        _write(wanting, reviewed_at=timezone.now(), reviewed_by=person(by))
        return wanting

    return _change(recordings, put, by, "review", {"reviewed": True})


def unreview(recordings: Iterable[Recording], by: Person) -> int:
    """Take the reviewed mark back."""

    def take(held: list[Recording]) -> list[Recording]:
        having = [it for it in held if it.reviewed]
        _write(having, reviewed_at=None, reviewed_by="")
        return having

    return _change(recordings, take, by, "unreview", {"reviewed": False})


def _change(
    recordings: Iterable[Recording],
    change: Change,
    by: Person,
    verb: str,
    columns: dict[str, object],
    **details: object,
) -> int:
    """Let `change` judge and write recordings that nobody else can write meanwhile."""
    count = 0
    for pks in _batches(recordings):
        with transaction.atomic():
            # sorted, so that two of us never wait for each other
            held = Recording.objects.select_for_update(no_key=True).order_by("pk")
            changed = change(list(held.filter(pk__in=pks)))
            Recording.objects.filter(pk__in=[it.pk for it in changed]).change(**columns)
            audit.record_each(by, verb, [it.subject for it in changed], **details)
        count += len(changed)
    return count


def _batches(recordings: Iterable[Recording]) -> Iterator[list[UUID]]:
    if isinstance(recordings, QuerySet):
        pks = list(recordings.values_list("pk", flat=True))
    else:
        pks = [recording.pk for recording in recordings]
    for start in range(0, len(pks), BATCH):
        yield pks[start : start + BATCH]


def _tags_of(held: list[Recording]) -> dict[UUID, set[str]]:
    tags: dict[UUID, set[str]] = defaultdict(set)
    rows = Tagging.objects.filter(recording__in=held).values_list("recording_id", "tag__name")
    for pk, name in rows:
        tags[pk].add(name)
    return tags


def _known_tag(word: str) -> Tag:
    """Return the tag, made if need be, and held so that no operator deletes it meanwhile."""
    held = Tag.objects.select_for_update(no_key=True)
    return held.get_or_create(name=word, defaults={"colour": colour_of(word)})[0]


def _write(recordings: list[Recording], **columns: object) -> None:
    """Write who judged recordings, and how."""
    Review.objects.bulk_create(
        [Review(recording=recording) for recording in recordings], ignore_conflicts=True
    )
    Review.objects.filter(recording__in=recordings).update(**columns)


def merge(tags: Iterable[Tag], by: Person) -> tuple[Tag, list[str]]:
    """Make one tag of two or more, the most used; return it and the names that are gone."""
    chosen = sorted(tags, key=lambda tag: (-tag.taggings.count(), tag.name))
    into, others = chosen[0], chosen[1:]
    for other in others:
        while _move_some(other, into):
            pass
    gone = sorted(other.name for other in others)
    with transaction.atomic():
        held = Tag.objects.select_for_update().filter(pk__in=[other.pk for other in others])
        for other in held:
            _move_some(other, into, most=None)  # what came since
        held.delete()
        audit.record(by, "merge tags", f"tag {into.pk}", into=into.name, gone=gone)
    return into, gone


def _move_some(tag: Tag, into: Tag, *, most: int | None = BATCH) -> int:
    """Move recordings of one tag to another that they lack; return how many."""
    lacking = Tagging.objects.filter(tag=tag).exclude(recording__taggings__tag=into)
    pks = list(lacking.values_list("pk", flat=True)[:most])
    return Tagging.objects.filter(pk__in=pks).update(tag=into)
