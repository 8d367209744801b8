"""Lines: calls come in, ring, are answered, bridged, held and hung up."""

from datetime import datetime, timedelta
from typing import Any

from simulator import captions, sounds, tape
from simulator.answers import Answer, Json, accepted, refused
from simulator.core import Core
from simulator.legs import Leg, stamp

CODECS = "G722,PCMU,PCMA"
SIP_CODES = {
    "not_found": "404",
    "user_busy": "486",
    "call_rejected": "603",
    "no_answer": "480",
    "timeout": "487",
}
COST_PER_MINUTE = {"call-control": 0.0020, "call-recording": 0.0020}


def ring_in(core: Core, from_: str, to: str, at: datetime, *, name: str, **extra: Any) -> Leg:
    """Let a customer call in; the leg rings until it is answered."""
    leg = core.new_leg("incoming", from_, to, "customer", at, caller_id_name=name, **extra)
    core.emit(
        leg,
        "call.initiated",
        at,
        direction="incoming",
        state="parked",
        start_time=stamp(at),
        caller_id_name=name,
        offered_codecs=CODECS,
        connection_codecs=CODECS,
        shaken_stir_attestation="A",
        shaken_stir_validated=True,
        tags=leg.tags,
        **leg.ends(),
    )
    return leg


def ring_out(core: Core, from_: str, to: str, party: str, at: datetime, **extra: Any) -> Leg:
    """Ring somebody: an agent, a customer, a supervisor."""
    leg = core.new_leg("outgoing", from_, to, party, at, **extra)
    core.emit(
        leg,
        "call.initiated",
        at,
        direction="outgoing",
        state="bridging",
        start_time=stamp(at),
        tags=leg.tags,
        **leg.ends(),
    )
    return leg


def pick_up(core: Core, leg: Leg, at: datetime, *, audio_delay_s: float | None = None) -> None:
    """Answer a ringing leg, and do what was asked for in advance."""
    if not leg.is_live or leg.answered_at:
        return
    wait = core.settings.audio_delay_s if audio_delay_s is None else audio_delay_s
    leg.answered_at = at
    leg.audio_at = at + timedelta(seconds=wait)
    start = stamp(leg.start_time)
    core.emit(leg, "call.answered", at, start_time=start, tags=leg.tags, **leg.ends())
    for act in leg.on_answer:
        act(at)
    leg.on_answer.clear()


def give_up(core: Core, leg: Leg, at: datetime, cause: str, source: str = "callee") -> None:
    """End a leg that nobody has answered."""
    if not leg.answered_at:
        end(core, leg, at, cause, source)


def connect(core: Core, leg: Leg, other: Leg, at: datetime) -> None:
    """Bridge two legs; whoever was bridged to one of them before is hung up, unless it stays."""
    if not (leg.is_live and other.is_live) or leg.peer is other:
        return
    for one in (leg, other):
        _part(core, one, at)
    leg.peer, other.peer = other, leg
    core.emit(leg, "call.bridged", at, **leg.ends())
    core.emit(other, "call.bridged", at, **other.ends())


def hold(core: Core, leg: Leg, at: datetime) -> None:
    """Put a leg on hold: it and its peer hear each other no more."""
    if leg.line in ("answered", "bridged"):
        core.hush_talk(leg, at)
        leg.is_held = True
        core.emit(leg, "call.hold", at, **leg.ends())


def unhold(core: Core, leg: Leg, at: datetime) -> None:
    """Take a leg off hold."""
    if leg.line == "held":
        leg.is_held = False
        core.emit(leg, "call.unhold", at, **leg.ends())


def press(core: Core, leg: Leg, digit: str, at: datetime) -> None:
    """Let a leg's party press a key."""
    if leg.is_live and leg.answered_at:
        core.emit(leg, "call.dtmf.received", at, digit=digit, **leg.ends())


def end(core: Core, leg: Leg, at: datetime, cause: str, source: str) -> None:
    """End a leg, with its sounds and recordings; its peer is hung up too, unless it stays."""
    if not leg.is_live:
        return
    sounds.hang_up(core, leg, at)
    core.hush_talk(leg, at)
    for recording in leg.recordings:
        if recording.is_running:
            tape.finish(core, recording, at)
    leg.transcribing = None
    leg.is_held = False
    leg.ended_at, leg.hangup_cause = at, cause
    core.emit(
        leg,
        "call.hangup",
        at,
        hangup_cause=cause,
        hangup_source=source,
        sip_hangup_cause=SIP_CODES.get(cause, "200" if leg.answered_at else "unspecified"),
        state="hangup",
        start_time=stamp(leg.start_time),
        end_time=stamp(at),
        tags=leg.tags,
        call_quality_stats=_quality(core, leg, at) if leg.answered_at else None,
        **leg.ends(),
    )
    if core.settings.call_cost:
        core.later(at, 1.0, lambda then: _bill(core, leg, then))
    for act in leg.on_end:
        act(at)
    _part(core, leg, at)


def _part(core: Core, leg: Leg, at: datetime) -> None:
    """Take a leg out of its bridge."""
    other, leg.peer = leg.peer, None
    if other:
        other.peer = None
        if not other.stays_after_unbridge:
            end(core, other, at, "normal_clearing", far_side(other))


def other_side(leg: Leg) -> str:
    """Return who hangs up when our side does: of an incoming leg we are the callee."""
    return "callee" if leg.direction == "incoming" else "caller"


def far_side(leg: Leg) -> str:
    """Return who hangs up when the leg's party does."""
    return "caller" if leg.direction == "incoming" else "callee"


def _quality(core: Core, leg: Leg, at: datetime) -> Json:
    packets = round((at - (leg.answered_at or at)).total_seconds() * 50)  # one per 20 ms
    return {
        "inbound": {
            "jitter_max_variance": f"{core.chance.uniform(5, 80):.2f}",
            "jitter_packet_count": "0",
            "mos": f"{core.chance.uniform(4.1, 4.5):.2f}",
            "packet_count": str(packets),
            "skip_packet_count": str(core.chance.randrange(20)),
        },
        "outbound": {"packet_count": str(packets), "skip_packet_count": "0"},
    }


def _bill(core: Core, leg: Leg, at: datetime) -> None:
    seconds = round(((leg.ended_at or at) - leg.start_time).total_seconds())
    costs = {
        part: rate * seconds / 60
        for part, rate in COST_PER_MINUTE.items()
        if part == "call-control" or leg.recordings
    }
    parts = [
        {
            "billed_duration_secs": seconds,
            "call_part": part,
            "cost": f"{cost:.4f}",
            "currency": "USD",
            "rate": f"{COST_PER_MINUTE[part]:.5f}",
        }
        for part, cost in costs.items()
    ]
    core.emit(
        leg,
        "call.cost",
        at,
        billed_duration_secs=seconds,
        billing_group_id=None,
        cost_parts=parts,
        occurred_at=stamp(at),
        status="success",
        total_cost=f"{sum(costs.values()):.4f}",
    )


# the commands that are about the line


def answer(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Answer an incoming call."""
    if leg.direction == "outgoing":
        raise refused(422, "90102", "This command works for incoming calls only.")
    if leg.answered_at:
        raise refused(422, "10015", "The call has been answered already.")  # assumed code
    promised = tape.promise(core, leg, body)
    if body.get("transcription"):
        config = body.get("transcription_config") or {}
        leg.on_answer.append(lambda at: captions.start(core, leg, config, at))
    pick_up(core, leg, now)
    return accepted(**promised)


def reject(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Refuse an incoming call."""
    if leg.direction == "outgoing" or leg.answered_at:
        raise refused(
            422, "90102", "Only incoming calls that nobody has answered can be rejected."
        )
    cause = "user_busy" if body["cause"] == "USER_BUSY" else "call_rejected"
    end(core, leg, now, cause, "callee")
    return accepted()


def hangup(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Hang up; an outgoing call that still rings is called off."""
    rings_out = leg.direction == "outgoing" and not leg.answered_at
    cause = "originator_cancel" if rings_out else "normal_clearing"
    end(core, leg, now, cause, other_side(leg))
    return accepted()


def bridge(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Bridge a leg with another one."""
    other = core.named(body, "call_control_id")
    if other is leg:
        raise refused(422, "90015", "A call cannot be bridged to itself.")
    if not other.is_live:
        raise refused(422, "90018", "The other call has ended.", pointer="/call_control_id")
    if not other.answered_at:
        raise refused(422, "90034", "The other call has not been answered.")
    if body.get("prevent_double_bridge") and (leg.peer or other.peer):
        raise refused(422, "10015", "One of the calls is bridged already.")  # assumed code
    leg.stays_after_unbridge = body.get("park_after_unbridge") == "self"
    connect(core, leg, other, now)
    return accepted()


def send_dtmf(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Send keys to the leg's party; nobody tells us whether it heard them."""
    return accepted()


def client_state_update(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Set the client state alone; the world has done so already."""
    return accepted()


def switch_supervisor_role(core: Core, leg: Leg, body: Json, now: datetime) -> Answer:
    """Change how a supervising leg takes part."""
    supervised = leg.supervises
    if not supervised:
        raise refused(422, "10015", "The call does not supervise another one.")  # assumed code
    if not supervised.is_live or not supervised.peer:
        raise refused(422, "10015", "The supervised call is not bridged.")  # assumed code
    leg.supervisor_role = body["role"]
    return accepted()
