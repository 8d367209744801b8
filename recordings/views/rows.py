"""The rows of the library: what each shows beyond its recording, in two queries for all."""

from dataclasses import dataclass
from urllib.parse import urlencode

from recordings.listing import Page, Snippet
from recordings.marks import comments_of, tags_of
from recordings.models import Recording, Tag


@dataclass(frozen=True, slots=True)
class Row:
    """One recording as the list shows it."""

    recording: Recording
    tags: list[Tag]
    comments: int
    snippet: Snippet | None
    address: str  # of its page, which knows by it the list and so the next and previous one
    moment: str  # of what the search found in it


def rows_of(page: Page, *, words: str, here: str) -> list[Row]:
    """Return the rows of a page of the list whose query is `here`."""
    keys = [recording.pk for recording in page.rows]
    tags, comments = tags_of(keys), comments_of(keys)
    rows = []
    for recording in page.rows:
        snippet = page.snippets.get(recording.pk)
        at_s = None if snippet is None or snippet.at_s is None else f"{snippet.at_s:.1f}"
        found = {"t": at_s, "q": words} if snippet else {}
        rows.append(
            Row(
                recording,
                tags.get(recording.pk, []),
                comments.get(recording.pk, 0),
                snippet,
                _page_of(recording, list=here),
                _page_of(recording, **found, list=here),
            )
        )
    return rows


def _page_of(recording: Recording, **parameters: str | None) -> str:
    query = urlencode({name: text for name, text in parameters.items() if text is not None})
    return f"{recording.get_absolute_url()}?{query}"
