"""Who did or saw what: plain rows that are only ever added."""

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
