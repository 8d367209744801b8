"""The operators' view of the line: the webhook inbox with its replay, commands, calls, refusals.

Tables here grow into the millions, so lists run along an index and stop counting at a cap.
"""

import json
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST

from access.admin import Evidence
from access.audit import record
from calls import events, fold
from calls.masking import masked, masked_body
from calls.models import Call, Command, Guard, Heartbeat, Refusal, WebhookEvent
from calls.ring import ring

MOST_COUNTED = 10_000  # rows that a list pages through; search and filters reach the rest
MOST_REPLAYED = 1_000  # at once, so that a slip of the mouse does not queue the whole inbox


class CappedPaginator(Paginator):  # type: ignore[type-arg]
    """Pages through the newest rows, without counting those beyond the cap."""

    @cached_property
    def count(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[:MOST_COUNTED].count()
        return len(rows)


class LineEvidence(Evidence):
    """Evidence in a large table."""

    paginator = CappedPaginator
    list_per_page = 50
    sortable_by = ()  # any other order would sort the whole table
    show_facets = admin.ShowFacets.NEVER

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Look for a row's own UUID first; compared as text it would find no index."""
        try:
            found = queryset.filter(pk=UUID(search_term.strip()))
            if found.exists():
                return found, False
        except (ValueError, ValidationError, TypeError):
            pass
        return super().get_search_results(request, queryset, search_term)


def pretty(value: str) -> SafeString:
    """Return text as it is laid out."""
    return format_html("<pre>{}</pre>", value)


class TypeFilter(admin.SimpleListFilter):
    """Filter by the event types we know; asking the table for them would read all of it."""

    title = "event type"
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(word, word) for word in sorted(fold.TYPES | events.WITHOUT_EFFECT)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(event_type=self.value()) if self.value() else queryset


@admin.register(WebhookEvent)
class WebhookEventAdmin(LineEvidence):
    change_form_template = "admin/calls/webhookevent/change_form.html"
    list_display = [
        "id",
        "received_at",
        "event_type",
        "state",
        "source",
        "attempts",
        "call_leg_id",
        "why",
    ]
    list_filter = ["state", TypeFilter, "source", "received_at"]
    search_fields = ["event_id__exact", "call_leg_id__exact"]
    search_help_text = "The whole event id, or the whole call leg id."
    ordering = ["-id"]
    actions = ["replay_selected"]
    fields = [
        "event_id",
        "event_type",
        "source",
        "state",
        "attempts",
        "due_at",
        "error",
        "occurred_at",
        "received_at",
        "call_leg_id",
        "call_session_id",
        "call_control_id",
        "body",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("raw")

    @admin.display(description="error")
    def why(self, event: WebhookEvent) -> str:
        return event.error[:80]

    @admin.display(description="body, masked")
    def body(self, event: WebhookEvent) -> SafeString:
        return pretty(masked_body(bytes(event.raw)))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["body"]

    def get_urls(self) -> list[URLPattern]:
        one = require_POST(self.admin_site.admin_view(self.replay_one))
        name = "calls_webhookevent_replay"
        return [path("<int:pk>/replay/", one, name=name), *super().get_urls()]

    @admin.action(description="Replay")
    def replay_selected(self, request: HttpRequest, queryset: QuerySet[WebhookEvent]) -> None:
        """Apply the selected events once more."""
        chosen = list(queryset.only("pk", "event_id")[: MOST_REPLAYED + 1])
        if len(chosen) > MOST_REPLAYED:
            text = f"More than {MOST_REPLAYED} events are selected; replay fewer at once."
            self.message_user(request, text, messages.ERROR)
        else:
            self._replay(request, chosen)

    def replay_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Apply one event once more, from the button on its page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        self._replay(request, [get_object_or_404(WebhookEvent.objects.defer("raw"), pk=pk)])
        return redirect("admin:calls_webhookevent_change", pk)

    def _replay(self, request: HttpRequest, chosen: list[WebhookEvent]) -> None:
        subject = f"webhook event {chosen[0].event_id}" if len(chosen) == 1 else "webhook events"
        record(request.user, "replayed", subject, ids=[event.event_id for event in chosen])
        count = events.replay(chosen)
        ring("events")
        noun = "event is" if count == 1 else "events are"
        self.message_user(request, f"{count} {noun} queued again.", messages.SUCCESS)


@admin.register(Command)
class CommandAdmin(LineEvidence):
    list_display = [
        "requested_at",
        "kind",
        "state",
        "why",
        "requested_by",
        "call",
        "http_status",
        "code",
        "attempts",
        "trouble",
    ]
    list_filter = ["state", "kind", "requested_at"]
    list_select_related = ["requested_by", "call"]
    search_fields = ["call__call_leg_id__exact"]
    search_help_text = "The whole command id, or the whole call leg id."
    ordering = ["-requested_at"]
    exclude = ["params", "answer"]
    readonly_fields = ["asked", "answered"]

    @admin.display(description="error")
    def trouble(self, command: Command) -> str:
        return command.error[:80]

    @admin.display(description="params, masked")
    def asked(self, command: Command) -> SafeString:
        return pretty(json.dumps(masked(command.params), indent=2, ensure_ascii=False))

    @admin.display(description="answer, masked")
    def answered(self, command: Command) -> SafeString:
        return pretty(json.dumps(masked(command.answer), indent=2, ensure_ascii=False))


@admin.register(Call)
class CallAdmin(LineEvidence):
    list_display = [
        "first_heard_at",
        "from_number",
        "to_number",
        "direction",
        "line",
        "recording",
        "hangup_cause",
        "call_leg_id",
        "inbox",
    ]
    list_filter = ["line", "recording", "direction", "first_heard_at"]
    search_fields = ["call_leg_id__exact", "conversation__exact"]
    search_help_text = "The whole id of a call, leg or session."
    ordering = ["-first_heard_at"]
    readonly_fields = ["id", "first_heard_at", "inbox"]

    @admin.display(description="webhooks")
    def inbox(self, call: Call) -> SafeString:
        address = reverse("admin:calls_webhookevent_changelist")
        return format_html('<a href="{}?q={}">its webhooks</a>', address, call.call_leg_id)


@admin.register(Guard)
class GuardAdmin(LineEvidence):
    list_display = [
        "since",
        "deadline",
        "call",
        "ending",
        "tries",
        "late_ms",
        "extended_by",
        "escalated_at",
        "trouble",
    ]
    list_filter = ["ending", "escalated_at", "since"]
    list_select_related = ["call", "extended_by"]
    search_fields = ["call__call_leg_id__exact"]
    search_help_text = "The whole id of the pause's watch, or the whole call leg id."
    ordering = ["-since"]


@admin.register(Refusal)
class RefusalAdmin(LineEvidence):
    list_display = ["hour", "reason", "count", "last_at"]
    list_filter = ["hour"]
    search_fields = ["reason"]
    ordering = ["-id"]


@admin.register(Heartbeat)
class HeartbeatAdmin(Evidence):
    list_display = ["name", "beat_at"]
    search_fields = ["name"]
    ordering = ["name"]
