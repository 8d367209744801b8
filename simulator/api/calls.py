"""Calls: dial them, command them, ask whether they live, read what happened."""

from datetime import datetime, timedelta

from simulator.answers import Json
from simulator.api.pages import between, by_cursor, not_found, numbered, same, wrapped
from simulator.core import CONNECTION_ID
from simulator.delivery import Delivery
from simulator.legs import Event, Leg, stamp
from simulator.routing import Request, Result, Route
from simulator.switchboard import Switchboard
from simulator.world import call_row

PUT_ACTION = "client_state_update"  # the only one that is not a POST


def dial(board: Switchboard, request: Request) -> Result:
    """POST /calls."""
    return board.command("dial", "", request.body)


def act(board: Switchboard, request: Request) -> Result:
    """POST /calls/{id}/actions/{action}."""
    named = request.named
    if (named["action"] == PUT_ACTION) != (request.method == "PUT"):
        raise not_found("action")
    return board.command(named["action"], named["call_control_id"], request.body)


def call(board: Switchboard, request: Request) -> Result:
    """GET /calls/{id}: whether it is alive."""
    token = request.named["call_control_id"]
    row = board.act(lambda world, now: world.status(token, now))
    if row is None:
        raise not_found("call")
    return wrapped(row)


def active_calls(board: Switchboard, request: Request) -> Result:
    """GET /connections/{id}/active_calls."""
    if request.named["connection_id"] != CONNECTION_ID:
        raise not_found("connection")
    legs = board.act(lambda world, now: world.live_legs())
    legs.sort(key=_age)
    now = board.now()
    keys = [
        "call_control_id",
        "call_leg_id",
        "call_session_id",
        "client_state",
        "call_duration",
        "record_type",
    ]

    def show(leg: Leg) -> Json:
        row = call_row(leg, now)
        return {key: row[key] for key in keys}

    return by_cursor(request, legs, show, _age, total_items=len(legs))


def _age(leg: Leg) -> str:
    return f"{stamp(leg.start_time)} {leg.call_leg_id}"


def call_events(board: Switchboard, request: Request) -> Result:
    """GET /call_events: the newest first; of the last day only, unless a call is named."""
    rows = [*map(_event_row, list(board.events)), *map(_command_row, list(board.commands))]
    is_narrow = {"filter[leg_id]", "filter[application_session_id]"} & request.query.keys()
    since = "" if is_narrow else stamp(board.now() - timedelta(hours=24))
    is_timely = between(request, "occurred_at")
    found = [
        row
        for row in rows
        if row["event_timestamp"] >= since
        and is_timely(datetime.fromisoformat(row["event_timestamp"]))
        and _is_wanted(request, row)
    ]
    found.sort(key=lambda row: str(row["event_timestamp"]), reverse=True)
    return numbered(request, found, lambda row: row)


def _is_wanted(request: Request, row: Json) -> bool:
    payload = row["metadata"].get("event", {}).get("payload", {})
    failed = "true" if row["metadata"].get("status") == "failed" else "false"
    return same(
        request,
        leg_id=row["call_leg_id"],
        application_session_id=row["call_session_id"],
        connection_id=CONNECTION_ID,
        name=row["name"],
        type=row["type"],
        product="call_control",
        failed=failed,
        from_=payload.get("from"),
        to=payload.get("to"),
    )


def _event_row(kept: tuple[Event, Delivery | None]) -> Json:
    event, delivery = kept
    return {
        "record_type": "call_event",
        "type": "webhook",
        "name": event.event_type,
        "call_leg_id": event.call_leg_id,
        "call_session_id": event.payload["call_session_id"],
        "event_timestamp": stamp(event.occurred_at),
        "metadata": {
            "event": event.data(),
            "attempt": len(delivery.attempts) if delivery else 0,
            "delivered_to": delivery.url if delivery else None,
            "status": delivery.status if delivery else "failed",
        },
    }


def _command_row(command: Json) -> Json:
    return {
        "record_type": "call_event",
        "type": "command",
        "name": command["action"],
        "call_leg_id": command["call_leg_id"] or "",
        "call_session_id": command["call_session_id"] or "",
        "event_timestamp": command["at"],
        "metadata": {"command": command["body"], "status": command["status"]},
    }


def webhook_deliveries(board: Switchboard, request: Request) -> Result:
    """GET /webhook_deliveries: those that have come to an end, the newest first."""
    query = request.query
    started, finished = between(request, "started_at"), between(request, "finished_at")
    types = query.get("filter[event_type]")
    found = [
        row
        for row in board.courier.finished()
        if query.get("filter[status][eq]", row.status) == row.status
        and (types is None or row.event.event_type in types.split(","))
        and started(row.started_at)
        and finished(row.finished_at)
        and query.get("filter[webhook][contains]", "") in str(row.event.data())
        and query.get("filter[attempts][contains]", "") in str(row.attempts)
    ]
    return numbered(request, found, Delivery.as_json)


def webhook_delivery(board: Switchboard, request: Request) -> Result:
    """GET /webhook_deliveries/{id}."""
    row = board.courier.deliveries.get(request.named["id"])
    if row is None or row.status == "pending":
        raise not_found("webhook delivery")
    return wrapped(row.as_json())


ROUTES = [
    Route("POST", "/calls", dial),
    Route("GET", "/calls/{call_control_id}", call),
    Route("POST", "/calls/{call_control_id}/actions/{action}", act),
    Route("PUT", "/calls/{call_control_id}/actions/{action}", act),
    Route("GET", "/connections/{connection_id}/active_calls", active_calls),
    Route("GET", "/call_events", call_events),
    Route("GET", "/webhook_deliveries", webhook_deliveries),
    Route("GET", "/webhook_deliveries/{id}", webhook_delivery),
]
