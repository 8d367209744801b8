"""The phone on which a person listens in."""

from django.conf import settings
from django.db import models


class Phone(models.Model):
    """A person's own phone: a number or SIP address that Telnyx can call."""

    person = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="desk_phone"
    )
    number = models.CharField(max_length=255)
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.number
