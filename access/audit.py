"""Write the audit trail. What ships audio or text calls `record` first: no row, no bytes."""

from collections.abc import Iterable

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser

from access.models import AuditRow

Person = AbstractBaseUser | AnonymousUser | None


def record(who: Person, verb: str, subject: str, **details: object) -> AuditRow:
    """Add one row. Raises DatabaseError when it cannot be kept, so the caller serves nothing."""
    row = _row(who, verb, subject, details)
    row.save(force_insert=True)
    return row


def record_each(who: Person, verb: str, subjects: Iterable[str], **details: object) -> None:
    """Add a row for each subject of one act. Raises DatabaseError when they cannot be kept."""
    rows = [_row(who, verb, subject, details) for subject in subjects]
    AuditRow.objects.bulk_create(rows, batch_size=500)


def _row(who: Person, verb: str, subject: str, details: dict[str, object]) -> AuditRow:
    known = who if who is not None and who.pk else None
    return AuditRow(
        who_id=known.pk if known else None,
        name=known.get_username() if known else "the desk",
        verb=verb,
        subject=subject[:120],
        details=details,
    )
