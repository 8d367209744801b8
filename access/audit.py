"""Write the audit trail. What ships audio or text calls `record` first: no row, no bytes."""

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from access.models import AuditRow


def record(
    who: AbstractBaseUser | AnonymousUser | None, verb: str, subject: str, **details: object
) -> AuditRow:
    """Add one row. Raises DatabaseError when it cannot be kept, so the caller serves nothing."""
    known = who if who is not None and who.pk else None
    return AuditRow.objects.create(
        who_id=known.pk if known else None,
        name=known.get_username() if known else "the desk",
        verb=verb,
        subject=subject[:120],
        details=details,
    )


def record_each(
    who: AbstractBaseUser | AnonymousUser, verb: str, subjects: Iterable[str], **details: object
) -> None:
    """Add a row for each subject. Raises DatabaseError when one of them cannot be kept."""
    rows = [
        AuditRow(who_id=who.pk, name=who.get_username(), verb=verb, subject=name, details=details)
        for name in subjects
    ]
    AuditRow.objects.bulk_create(rows, batch_size=500)
