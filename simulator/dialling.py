"""Outgoing calls: dial a number, or transfer a call to one."""

from datetime import datetime

from simulator import calling, captions, sounds, tape
from simulator.answers import Answer, Json, accepted, refused
from simulator.core import CONNECTION_ID, Act, Core
from simulator.legs import Leg, stamp

RING_LIMIT_S = 30
TIME_LIMIT_S = 14_400  # four hours: Telnyx's limit for every leg
FAILURES = {"busy": "user_busy", "reject": "call_rejected", "not_found": "not_found"}
MACHINE = ("call.machine.detection.ended", "human")
PREMIUM_MACHINE = ("call.machine.premium.detection.ended", "human_residence")


def dial(core: Core, body: Json, now: datetime) -> Answer:
    """Call a number: the leg rings, then is answered or not, as the settings say."""
    if body["connection_id"] != CONNECTION_ID:
        raise refused(422, "10015", "Invalid connection_id.", pointer="/connection_id")
    linked = core.named(body, "link_to") if body.get("link_to") else None
    watched = "supervise_call_control_id"
    supervised = core.named(body, watched) if body.get(watched) else None
    if supervised:
        _check_audible(supervised, watched)
    to = body["to"][0] if isinstance(body["to"], list) else body["to"]
    leg = calling.ring_out(
        core,
        body["from"],
        to,
        "supervisor" if supervised else "agent" if to.startswith("sip:") else "customer",
        now,
        client_state=body.get("client_state"),
        webhook_url=body.get("webhook_url"),
        webhook_urls=body.get("webhook_urls") or {},
        supervises=supervised,
        supervisor_role=body.get("supervisor_role", "barge") if supervised else "",
        **({"call_session_id": linked.call_session_id} if linked else {}),
    )
    if supervised:  # assumed: without the call it hears, a supervisor's call ends
        supervised.on_end.append(
            lambda at: calling.end(core, leg, at, "normal_clearing", "unknown")
        )
    promised = tape.promise(core, leg, body)
    leg.on_answer += _wishes(core, leg, linked, body)
    ring(core, leg, body.get("timeout_secs") or RING_LIMIT_S, now)
    limit = body.get("time_limit_secs") or TIME_LIMIT_S
    core.later(now, limit, lambda at: calling.end(core, leg, at, "time_limit", "unknown"))
    told: Json = {
        "record_type": "call",
        **leg.ids(),
        "is_alive": False,  # Telnyx: always false, because dialling is asynchronous
        "client_state": leg.client_state,
        "start_time": stamp(now),
    }
    return Answer(200, {"data": told | promised}, took_effect=True)


def _check_audible(leg: Leg, field: str) -> None:
    """Raise Refused for a leg on which there is nothing to hear."""
    if not leg.is_live:
        raise refused(422, "90018", "The supervised call has ended.", pointer=f"/{field}")
    if not leg.answered_at:
        raise refused(422, "90034", "The supervised call is not answered.", pointer=f"/{field}")


def transfer(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Ring a number and bridge the leg with it; if nobody answers, the leg stays as it is."""
    party = "agent" if leg.party == "customer" else "customer"
    target = calling.ring_out(
        core,
        body.get("from") or leg.to,
        body["to"],
        party,
        now,
        call_session_id=leg.call_session_id,
        client_state=body.get("target_leg_client_state"),
    )
    target.on_answer.append(lambda at: calling.connect(core, leg, target, at))
    ring(core, target, body.get("timeout_secs") or RING_LIMIT_S, now)
    return accepted()


def ring(core: Core, leg: Leg, limit_s: float, now: datetime) -> None:
    """Let a leg ring until it is answered, refused, or nobody comes."""
    outcome, ring_s = core.settings.dial_outcome, core.settings.ring_s
    if ring_s is None:
        ring_s = core.chance.uniform(1.0, 3.0)
    if outcome == "no_answer" or ring_s > limit_s:
        core.later(now, limit_s, lambda at: calling.give_up(core, leg, at, "timeout"))
    elif outcome == "answer":
        core.later(now, ring_s, lambda at: calling.pick_up(core, leg, at))
    else:
        cause = FAILURES[outcome]
        core.later(now, ring_s, lambda at: calling.give_up(core, leg, at, cause))


def _wishes(core: Core, leg: Leg, linked: Leg | None, body: Json) -> list[Act]:
    """Return what to do when the leg is answered."""
    wishes: list[Act] = []
    if body.get("transcription"):
        config = body.get("transcription_config") or {}
        wishes.append(lambda at: captions.start(core, leg, config, at))
    played: Json = {key: body[key] for key in ("audio_url", "media_name") if key in body}
    if played:
        wishes.append(lambda at: sounds.playback_start(core, leg, played, at))
    if body.get("answering_machine_detection", "disabled") != "disabled":
        is_premium = body["answering_machine_detection"] == "premium"
        found = PREMIUM_MACHINE if is_premium else MACHINE
        wishes.append(lambda at: core.later(at, 1.0, lambda then: detect(core, leg, found, then)))
    if linked and body.get("bridge_on_answer"):
        wishes.append(lambda at: calling.connect(core, linked, leg, at))
    return wishes


def detect(core: Core, leg: Leg, found: tuple[str, str], at: datetime) -> None:
    """Tell what the answering machine detection found: an event type and a result."""
    if leg.is_live:
        event_type, result = found
        core.emit(leg, event_type, at, result=result, **leg.ends())
