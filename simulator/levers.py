"""The levers under /_simulator/: what tests pull, and what only the provider could know."""

from datetime import datetime
from typing import Any

from simulator import calling
from simulator.answers import Answer, Json, Refused
from simulator.checks import Field, one_of, text
from simulator.faults import BadScript
from simulator.legs import Leg
from simulator.routing import Request, Result, Route
from simulator.settings import BadSetting
from simulator.switchboard import Switchboard
from simulator.world import World

FLAG = Field(lambda value: isinstance(value, bool), "true or false", "")
NUMBER = text(1, 255)
PARTY = one_of("customer", "agent", "supervisor")


def bad(detail: str, status: int = 400) -> Refused:
    """Return the exception for a lever that cannot be pulled so."""
    return Refused(status, [{"code": str(status), "title": "Bad lever", "detail": detail}])


def _checked(request: Request, **fields: Field) -> Json:
    """Return the body. Raises Refused for keys that are unknown, missing or wrong."""
    unknown = sorted(set(request.body) - set(fields))
    if unknown:
        raise bad(f"unknown keys: {', '.join(unknown)}; known: {', '.join(fields) or 'none'}")
    for name, field in fields.items():
        value = request.body.get(name)
        if value is None and not field.is_required:
            continue
        if value is None or not field.fits(value):
            raise bad(f"{name} is {value!r}, must be {field.wants}")
    return request.body


def _leg(board: Switchboard, request: Request) -> Leg:
    leg = board.world.legs.get(request.named["call_control_id"])
    if leg is None:
        raise bad("there is no call of this call_control_id", 404)
    return leg


def place_call(board: Switchboard, request: Request) -> Result:
    """POST calls: an answered and bridged call, with audio flowing."""
    wish = _checked(
        request,
        **{"from": NUMBER.required(), "to": NUMBER.required(), "agent": NUMBER, "talk": FLAG},
    )

    def place(world: World, now: datetime) -> tuple[Leg, Leg]:
        return world.place_call(
            wish["from"],
            wish["to"],
            now,
            agent=wish.get("agent") or "",
            talk=wish.get("talk") is True,
        )

    customer, agent = board.act(place)
    return Answer(201, {**customer.ids(), "agent": agent.ids()})


def ring(board: Switchboard, request: Request) -> Result:
    """POST calls/ring: an incoming call that rings until a command answers it."""
    wish = _checked(request, **{"from": NUMBER.required(), "to": NUMBER.required()})

    def place(world: World, now: datetime) -> Leg:
        at = world.settle(now)
        return calling.ring_in(world, wish["from"], wish["to"], at, name="")

    return Answer(201, dict(board.act(place).ids()))


def say(board: Switchboard, request: Request) -> Result:
    """POST calls/{id}/say: a party says something now."""
    wish = _checked(request, party=PARTY.required(), text=text(1, 3_000).required())
    leg = _leg(board, request)
    noise = board.act(lambda world, now: world.say_as(leg, wish["party"], wish["text"], now))
    if noise is None:
        raise bad(f"there is no {wish['party']} on this call now", 409)
    return Answer(200, {"duration_ms": noise.clip.ms})


def hangup(board: Switchboard, request: Request) -> Result:
    """POST calls/{id}/hangup: the leg's own party hangs up."""
    _checked(request)
    leg = _leg(board, request)

    def hang_up(world: World, now: datetime) -> None:
        at = world.settle(now)
        cause = "normal_clearing" if leg.answered_at else "originator_cancel"
        calling.end(world, leg, at, cause, calling.far_side(leg))

    return _done(board, leg, hang_up)


def hold(board: Switchboard, request: Request) -> Result:
    """POST calls/{id}/hold."""
    leg = _leg(board, request)
    return _done(board, leg, lambda world, now: calling.hold(world, leg, world.settle(now)))


def unhold(board: Switchboard, request: Request) -> Result:
    """POST calls/{id}/unhold."""
    leg = _leg(board, request)
    return _done(board, leg, lambda world, now: calling.unhold(world, leg, world.settle(now)))


def dtmf(board: Switchboard, request: Request) -> Result:
    """POST calls/{id}/dtmf: the leg's party presses keys."""
    wish = _checked(request, digits=text(1, 64).required())
    leg = _leg(board, request)

    def press(world: World, now: datetime) -> None:
        for digit in wish["digits"]:
            calling.press(world, leg, digit, world.settle(now))

    return _done(board, leg, press)


def _done(board: Switchboard, leg: Leg, what: Any) -> Result:
    if not leg.is_live:
        raise bad("the call has ended", 409)
    board.act(what)
    return Answer(200, {"line": leg.line})


def calls(board: Switchboard, request: Request) -> Result:
    """GET calls: the truth about calls and recordings; `?live=true` leaves out the ended ones."""
    truth = board.act(lambda world, now: world.truth(now))
    if request.query.get("live") == "true":
        truth = [row for row in truth if row["line"] != "ended"]
    return Answer(200, {"calls": truth})


def commands(board: Switchboard, request: Request) -> Result:
    """GET commands: every command received, in order."""
    return Answer(200, {"commands": list(board.commands)})


def webhooks(board: Switchboard, request: Request) -> Result:
    """GET webhooks: every attempt to deliver one, in order."""
    return Answer(200, {"webhooks": list(board.courier.tries)})


def show_faults(board: Switchboard, request: Request) -> Result:
    """GET faults: the script in force, with how often each rule was used."""
    return Answer(200, board.faults.as_json())


def add_faults(board: Switchboard, request: Request) -> Result:
    """POST faults: add rules to the script."""
    try:
        board.faults.add(request.body)
    except BadScript as exc:
        raise bad(str(exc)) from exc
    return show_faults(board, request)


def clear_faults(board: Switchboard, request: Request) -> Result:
    """DELETE faults: let everything work again."""
    board.faults.clear()
    return Answer(204, None)


def show_settings(board: Switchboard, request: Request) -> Result:
    """GET settings."""
    return Answer(200, board.settings.as_json())


def change_settings(board: Switchboard, request: Request) -> Result:
    """POST settings: change some."""
    try:
        board.act(lambda world, now: board.settings.change(request.body))
    except BadSetting as exc:
        raise bad(str(exc)) from exc
    return show_settings(board, request)


def key(board: Switchboard, request: Request) -> Result:
    """GET key: the public key that verifies the webhooks, in Base64."""
    return Answer(200, {"public_key": board.public_key})


def address(board: Switchboard, request: Request) -> Result:
    """POST webhook_url: send webhooks somewhere else from now on; if empty, nowhere."""
    board.courier.url = _checked(request, url=text(0, 2_048).required())["url"]
    return Answer(200, {"url": board.courier.url})


ROUTES = [
    Route("GET", "/calls", calls),
    Route("POST", "/calls", place_call),
    Route("POST", "/calls/ring", ring),
    Route("POST", "/calls/{call_control_id}/say", say),
    Route("POST", "/calls/{call_control_id}/hangup", hangup),
    Route("POST", "/calls/{call_control_id}/hold", hold),
    Route("POST", "/calls/{call_control_id}/unhold", unhold),
    Route("POST", "/calls/{call_control_id}/dtmf", dtmf),
    Route("GET", "/commands", commands),
    Route("GET", "/webhooks", webhooks),
    Route("POST", "/webhook_url", address),
    Route("GET", "/faults", show_faults),
    Route("POST", "/faults", add_faults),
    Route("DELETE", "/faults", clear_faults),
    Route("GET", "/settings", show_settings),
    Route("POST", "/settings", change_settings),
    Route("GET", "/key", key),
]
