"""What Telnyx is asked by the desk itself: each question a row with its due time."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import F
from django.utils import timezone

LEG = "leg:"
LEASE = timedelta(seconds=60)  # for one answer, which may take several pages
AGAIN_S = (5, 10, 30, 60)  # after failures in a row, unless Telnyx says how long


class Question(models.Model):
    """One question, and how far its answer has come. Several pumps share it by its due time."""

    BOARD = "board"  # which calls are live?
    DELIVERIES = "deliveries"  # which webhooks could not be delivered?
    PACE = "pace"  # whoever takes it may ask one question

    name = models.CharField(max_length=270, unique=True)  # of those above, or LEG and a leg's id
    due_at = models.DateTimeField()
    since = models.DateTimeField(null=True)  # all before is known
    until = models.DateTimeField(null=True)  # of the answer that is being read, fixed at its start
    page = models.PositiveIntegerField(default=1)  # the next to read
    listed = models.PositiveIntegerField(default=0)  # rows in the last whole answer
    found = models.PositiveIntegerField(default=0)  # of them unknown here
    found_at = models.DateTimeField(null=True)  # when it last told of trouble
    looks = models.PositiveSmallIntegerField(default=0)  # whole answers so far
    done_at = models.DateTimeField(null=True)  # when Telnyx last answered all of it
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    failed_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)  # of the last failure, if it had one
    error = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["due_at"], name="question_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def leg(self) -> str:
        """Return the leg that it is about, or ""."""
        return self.name.removeprefix(LEG) if self.name.startswith(LEG) else ""

    @classmethod
    def want(cls, name: str, at: datetime) -> None:
        """Have a question asked by a moment."""
        cls.objects.get_or_create(name=name, defaults={"due_at": at})
        cls.objects.filter(name=name, due_at__gt=at).update(due_at=at)

    @classmethod
    def may_ask(cls, every: timedelta) -> bool:
        """Say whether it is time for another question; all pumps together ask at this pace."""
        now = timezone.now()
        pace, _ = cls.objects.get_or_create(name=cls.PACE, defaults={"due_at": now})
        mine = cls.objects.filter(pk=pace.pk, due_at=pace.due_at, due_at__lte=now)
        return bool(mine.update(due_at=now + every))

    def claim(self) -> bool:
        """Take it until the lease ends. Says whether it is ours."""
        lease = timezone.now() + LEASE
        mine = Question.objects.filter(pk=self.pk, due_at=self.due_at)
        if not mine.update(due_at=lease):
            return False
        self.due_at = lease
        return True

    def answered(
        self, *, again_at: datetime, listed: int, found: int, tells: bool = True, **place: object
    ) -> None:
        """Write down a whole answer, and when it is asked next.

        What is found tells of trouble now, unless the desk was away meanwhile.
        """
        now = timezone.now()
        told = {"found_at": now} if found and tells else {}
        self._mine().update(
            due_at=again_at,
            listed=listed,
            found=found,
            looks=F("looks") + 1,
            done_at=now,
            failures=0,
            error="",
            status=None,
            **told,
            **place,
        )

    def turned(self, *, again_at: datetime, **place: object) -> None:
        """Write down one page of an answer, and where it goes on."""
        self._mine().update(due_at=again_at, failures=0, error="", status=None, **place)

    def failed(self, error: str, *, status: int | None, wait_s: float | None) -> None:
        """Write down that there was no answer, and when it is asked again."""
        now = timezone.now()
        wait_s = wait_s or AGAIN_S[min(self.failures, len(AGAIN_S) - 1)]
        self._mine().update(
            due_at=now + timedelta(seconds=wait_s),
            failures=F("failures") + 1,
            failed_at=now,
            status=status,
            error=error[:500],
        )

    def _mine(self) -> "models.QuerySet[Question]":
        """Match its row as long as nobody else took it when our lease ran out."""
        return Question.objects.filter(pk=self.pk, due_at=self.due_at)
