"""Mail what people chose to hear by mail. One row a person is the queue: a storm is one mail.

    Mailbox due --claim--> every notice not yet mailed --> one mail --> mailed, or later

A kill between sending and writing sends a mail twice; both carry the same Message-ID.
"""

import logging
import smtplib
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from calls.models import Mailbox, Notice
from calls.signals import KINDS, MAIL_GAP

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=90)
TIMEOUT_S = 20
BACKOFF_S = (30, 120, 600, 1800)  # the last one again and again
MOST_FAILURES = 20  # about nine hours; then what waits is dropped, and said so
SHOWN = 30  # lines in a mail


def mail_due(*, overdue: timedelta = timedelta()) -> int:
    """Send the mails that are due (or overdue by so much); return how many."""
    done = 0
    while settings.EMAIL_URL and (box := _claim(overdue)) is not None:
        _send(box)
        done += 1
    return done


def _claim(overdue: timedelta) -> Mailbox | None:
    now = timezone.now()
    due = Mailbox.objects.filter(due_at__lte=now - overdue).order_by("due_at")
    for box in due.select_related("user")[:20]:
        taken = Mailbox.objects.filter(pk=box.pk, due_at=box.due_at, attempts=box.attempts).update(
            due_at=now + LEASE, attempts=F("attempts") + 1, failures=F("failures") + 1
        )
        if taken:
            box.attempts += 1
            box.failures += 1
            return box
    return None


def _send(box: Mailbox) -> None:
    waiting = Notice.objects.filter(user=box.user, to_mail=True, mailed_at=None)
    notices = list(waiting.select_related("signal").order_by("id"))
    try:
        if notices and box.user.email and box.user.is_active:
            _mail(box, notices)
    except (OSError, smtplib.SMTPException) as exc:
        if box.failures < MOST_FAILURES:
            _later(box, exc)
            return
        logger.error("mail to %s is given up: %s", box.user, exc)
    _done(box, notices)


def _mail(box: Mailbox, notices: Sequence[Notice]) -> None:
    first = notices[0].signal
    more = len(notices) - 1
    subject = first.subject if not more else f"{first.subject}, and {more} more"
    host = urlsplit(settings.PUBLIC_URL).hostname
    lines = [line for notice in notices[:SHOWN] for line in _lines(notice)]
    if len(notices) > SHOWN:
        lines += [f"… and {len(notices) - SHOWN} more.", ""]
    lines += [f"All notices: {settings.PUBLIC_URL}/notices/"]
    lines += [f"What you are mailed: {settings.PUBLIC_URL}/notices/choices/"]
    EmailMessage(
        f"[Tapeline] {subject}",
        "\n".join(lines),
        settings.DEFAULT_FROM_EMAIL,
        [box.user.email],
        headers={
            "Message-ID": f"<notices-{notices[0].pk}-{box.user.pk}@{host}>",
            "Auto-Submitted": "auto-generated",
        },
        connection=get_connection(timeout=TIMEOUT_S),
    ).send()


def _lines(notice: Notice) -> list[str]:
    signal = notice.signal
    kind = KINDS[signal.kind].label if signal.kind in KINDS else signal.kind
    at = f"{timezone.localtime(signal.at):%-d %b %H:%M:%S}"
    text = [f"  {signal.text}"] if signal.text else []
    return [f"{at}  {kind}: {signal.subject}", *text, f"  {settings.PUBLIC_URL}{signal.url}", ""]


def _later(box: Mailbox, exc: Exception) -> None:
    logger.warning("mail to %s waits: %s", box.user, exc)
    wait_s = BACKOFF_S[min(box.failures, len(BACKOFF_S)) - 1]
    _mine(box).update(
        due_at=timezone.now() + timedelta(seconds=wait_s),
        error=f"{type(exc).__name__}: {exc}"[:300],
    )


def _done(box: Mailbox, notices: Sequence[Notice]) -> None:
    """Write down what was mailed; what came meanwhile is due in some minutes."""
    now = timezone.now()
    with transaction.atomic():
        mine = _mine(box)
        if not mine.update(due_at=None, failures=0, last_sent_at=now, error=""):
            return
        mailed = [notice.pk for notice in notices]
        Notice.objects.filter(pk__in=mailed).update(mailed_at=now)
        if Notice.objects.filter(user=box.user, to_mail=True, mailed_at=None).exists():
            Mailbox.objects.filter(pk=box.pk).update(due_at=now + MAIL_GAP)


def _mine(box: Mailbox) -> "QuerySet[Mailbox]":
    return Mailbox.objects.filter(pk=box.pk, attempts=box.attempts, due_at__isnull=False)
