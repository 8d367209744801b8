"""What the search looks through: one narrow row for every recording."""

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
