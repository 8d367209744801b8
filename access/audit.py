"""Write the audit trail. What ships audio or text calls `record` first: no row, no bytes."""

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
