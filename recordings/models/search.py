"""What the search looks through and what it shows of it: two narrow rows for every recording."""

from django.db import models

from recordings.models.recording import Recording


class SearchText(models.Model):
    """The searched text of a recording; `recordings.search.index` keeps it right.

    PostgreSQL has one index of times and words over it, SQLite the table `recordings_words`.
    """

    # The recording's. Automatic only in name: such a column is SQLite's own number of a row, so
    # that the rows lie in the order of the library and are found without a second index.
    place = models.BigAutoField(primary_key=True)
    recording = models.OneToOneField(Recording, models.CASCADE, related_name="text")
    document = models.TextField()

    def __str__(self) -> str:
        return f"Search text of {self.recording_id}"  # not the text: operators may not read it


class Spoken(models.Model):
    """The sentences of a recording, of which a page shows one; `index` keeps them right as well.

    Not with the searched text: PostgreSQL keeps that out of its rows, and fifty of those take it
    as long to find as all else on a page.
    """

    place = models.BigAutoField(primary_key=True)  # as above
    recording = models.OneToOneField(Recording, models.CASCADE, related_name="spoken")
    lines = models.TextField(blank=True)  # see `recordings.search.document`

    def __str__(self) -> str:
        return f"What was said in {self.recording_id}"
