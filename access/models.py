"""Who did or saw what, rows that are only ever added; and what people chose for themselves."""

from django.conf import settings
from django.db import models


class AuditRow(models.Model):
    """One act of one person, written before what it allows is served."""

    at = models.DateTimeField(auto_now_add=True, db_index=True)
    who = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="audit_rows"
    )
    name = models.CharField(max_length=150)  # of the person, should the account be deleted
    verb = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    details = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        verbose_name = "audit row"
        indexes = [models.Index(fields=["subject", "-at"], name="audit_by_subject")]

    def __str__(self) -> str:
        return f"{self.name} {self.verb} {self.subject}"


class Choice(models.Model):
    """What one person chose, by the name of what it is about."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="choices")
    name = models.CharField(max_length=40)
    value = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "name"], name="choice_once_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.name}"
