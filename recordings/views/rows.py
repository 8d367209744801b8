"""The rows of the library: what each shows beyond its recording, in two queries for all."""

from dataclasses import dataclass
from urllib.parse import urlencode

from recordings.listing import Page
from recordings.marks import comments_of, tags_of
from recordings.models import Recording, Tag
from recordings.search.extract import Extract


@dataclass(frozen=True, slots=True)
class Row:
    """One recording as the list shows it."""

    recording: Recording
    tags: list[Tag]
    comments: int
    snippet: Extract | None
    address: str  # of its page, which knows by it the list and so the next and previous one
    moment: str  # of what the search found in it; "" where it found no words


def rows_of(page: Page, *, words: str, here: str) -> list[Row]:
    """Return the rows of a page of the list whose query is `here`."""
    keys = [recording.pk for recording in page.rows]
    tags, comments = tags_of(keys), comments_of(keys)
    rows = []
    for recording in page.rows:
        snippet = page.snippets.get(recording.pk)
        rows.append(
            Row(
                recording,
                tags.get(recording.pk, []),
                comments.get(recording.pk, 0),
                snippet,
                _page_of(recording, list=here),
                _moment_of(recording, snippet, words, here) if snippet else "",
            )
        )
    return rows


def _moment_of(recording: Recording, snippet: Extract, words: str, here: str) -> str:
    at_s = None if snippet.at_s is None else f"{snippet.at_s:.1f}"
    return _page_of(recording, t=at_s, q=words, list=here)


def _page_of(recording: Recording, **parameters: str | None) -> str:
    query = urlencode({name: text for name, text in parameters.items() if text is not None})
    return f"{recording.get_absolute_url()}?{query}"
