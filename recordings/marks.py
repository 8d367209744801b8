"""What people wrote about recordings, gathered for many of them in a query each."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Count

from recordings.models import Comment, Tag, Tagging


def tags_of(keys: Collection[UUID]) -> dict[UUID, list[Tag]]:
    """Return the tags of recordings, by name."""
    found: dict[UUID, list[Tag]] = {}
    taggings = Tagging.objects.filter(recording__in=keys).select_related("tag")
    for tagging in taggings.order_by("tag__name"):
        found.setdefault(tagging.recording_id, []).append(tagging.tag)
    return found


def comments_of(keys: Collection[UUID]) -> dict[UUID, int]:
    """Return how many comments recordings have."""
    written = Comment.objects.filter(recording__in=keys).exclude(text="").order_by()
    counted = written.values_list("recording_id").annotate(Count("pk"))
    return dict(counted)
