"""The last value of something that is measured, by whoever measures it."""

from django.db import models


class Gauge(models.Model):
    """One figure of one machine, such as how far its clock is from Telnyx's."""

    name = models.CharField(max_length=120, unique=True)
    value = models.FloatField()
    count = models.PositiveIntegerField()  # of what was measured
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.value:g}"
