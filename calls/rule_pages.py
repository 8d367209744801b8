"""The pages of the rules that record by themselves, for those who operate the desk."""

from dataclasses import dataclass
from datetime import datetime

from django.contrib import messages
from django.db import transaction
from django.db.models import Count, Max
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from access import audit
from access.policies import Right, needs
from calls import numbers
from calls.line_forms import RuleForm
from calls.models import Command, RecordRule, RuleFiring
from calls.rules import HOPELESS, LATE

FIRED = (RuleFiring.State.ANNOUNCING, RuleFiring.State.ASKED, RuleFiring.State.FAILED)
NEWEST = 50


@dataclass(frozen=True, slots=True)
class Line:
    """One rule of the list, with what it did."""

    rule: RecordRule
    fired: int
    last_at: datetime | None
    failure: "Failure | None"


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong last, and when."""

    at: datetime
    why: str


@needs(Right.OPERATE)
@require_safe
def rules(request: HttpRequest) -> HttpResponse:
    """List the rules in the order in which they are tried."""
    fired = {
        row["rule"]: (row["times"], row["last"])
        for row in RuleFiring.objects.filter(state__in=FIRED)
        .values("rule")
        .annotate(times=Count("pk"), last=Max("answered_at"))
        .order_by()
    }
    lines = [
        Line(rule, *fired.get(rule.pk, (0, None)), failure(rule))
        for rule in RecordRule.objects.filter(deleted_at=None)
    ]
    context = {"lines": lines, "late_s": int(LATE.total_seconds())}
    return render(request, "calls/rules.html", context)


def failure(rule: RecordRule) -> Failure | None:
    """Return what a rule failed at last."""
    commands = Command.objects.filter(rule=rule, state__in=HOPELESS, followed_by=None)
    unheard = rule.firings.filter(state=RuleFiring.State.FAILED)
    found = []
    if lost := commands.order_by("-requested_at").first():
        found.append(Failure(lost.requested_at, f"{lost.get_kind_display()}: {lost.error}"))
    if silent := unheard.order_by("-answered_at").first():
        found.append(Failure(silent.answered_at, silent.reason))
    return max(found, key=lambda it: it.at, default=None)


@needs(Right.OPERATE)
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, pk: int | None = None) -> HttpResponse:
    """Make a rule or change one; below, what it did."""
    rule = get_object_or_404(RecordRule, pk=pk, deleted_at=None) if pk else None
    before = _settings(rule) if rule else {}
    typed = request.POST if request.method == "POST" else None
    form = RuleForm(typed, instance=rule, lines=numbers.own())
    if request.method == "POST" and form.is_valid():
        with transaction.atomic():
            kept = form.save(commit=False)
            kept.changed_by_id = request.user.pk
            if rule is None:
                last = RecordRule.objects.aggregate(last=Max("position"))["last"] or 0
                kept.position = last + 1
            kept.save()
            after = _settings(kept)
            changed = {name: after[name] for name in after if before.get(name) != after[name]}
            verb = "changed a recording rule" if rule else "made a recording rule"
            audit.record(request.user, verb, f"rule {kept.pk} {kept.name}", changed=changed)
        messages.success(request, f"The rule “{kept.name}” is kept.")
        return redirect("calls:rules")
    context = {
        "rule": rule,
        "form": form,
        "failure": failure(rule) if rule else None,
        "firings": _firings(rule) if rule else [],
        "late_s": int(LATE.total_seconds()),
    }
    return render(request, "calls/rule.html", context, status=422 if form.errors else 200)


def _firings(rule: RecordRule) -> list[RuleFiring]:
    rows = rule.firings.select_related("call", "announced", "recorded")
    return list(rows.order_by("-answered_at")[:NEWEST])


def _settings(rule: RecordRule) -> dict[str, object]:
    return {name: getattr(rule, name) for name in RuleForm.Meta.fields}


@needs(Right.OPERATE)
@require_POST
def change(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """Switch a rule on or off, move it, or delete it."""
    if what not in ("on", "off", "up", "down", "delete"):
        raise Http404(f"Nothing is called {what[:40]!r} here.")
    rule = get_object_or_404(RecordRule, pk=pk, deleted_at=None)
    with transaction.atomic():
        if what in ("on", "off"):
            RecordRule.objects.filter(pk=pk).update(enabled=what == "on")
        elif what == "delete":
            RecordRule.objects.filter(pk=pk).update(enabled=False, deleted_at=timezone.now())
        else:
            _move(rule, -1 if what == "up" else 1)
        done = {"on": "switched on", "off": "switched off", "delete": "deleted"}.get(what, "moved")
        verb = f"{done} a recording rule"
        audit.record(request.user, verb, f"rule {rule.pk} {rule.name}")
    if what == "delete":
        messages.success(request, f"The rule “{rule.name}” is deleted; what it recorded stays.")
    return redirect("calls:rules")


def _move(rule: RecordRule, by: int) -> None:
    """Let two neighbours change places; the places are counted anew."""
    order = list(RecordRule.objects.select_for_update().filter(deleted_at=None))
    at = [it.pk for it in order].index(rule.pk)
    to = min(max(at + by, 0), len(order) - 1)
    order.insert(to, order.pop(at))
    for position, it in enumerate(order, start=1):
        RecordRule.objects.filter(pk=it.pk).exclude(position=position).update(position=position)
