"""What the search looks through: one narrow row for every recording."""

from django.db import models

from recordings.models.recording import Recording


class SearchText(models.Model):
    """The searched text of a recording; `recordings.search.index` keeps it right.

    PostgreSQL has one index of months and words over it, SQLite the table `recordings_words`.
    """

    recording = models.OneToOneField(
        Recording, models.CASCADE, primary_key=True, related_name="text"
    )
    place = models.BigIntegerField()  # the recording's; without an index, or the planner took it
    document = models.TextField()

    def __str__(self) -> str:
        return f"Search text of {self.recording_id}"  # not the text: operators may not read it
