"""Every parameter of answer, hangup and dial: the commands that make and end a call.

Left out: secrets (SIP and stream passwords), which a Command row must not hold, and Dialogflow,
conferences and AI relays, which are no business of a recording desk.
"""

from calls.telnyx import checks, shapes, words
from calls.telnyx.common import (
    CALL_S,
    CHANNELS,
    CLIENT_STATE,
    FILE_NAME,
    FORMAT,
    LEGS,
    MEDIA,
    TRACK,
    TRIM,
    URL,
    YES_NO,
)
from calls.telnyx.kinds import Anything, Choice, Destination, OpenChoice, Parameter, Text, Whole

POST_ONLY = Choice(("POST",))  # Telnyx's GET webhooks carry no body that its signature covers

CUSTOM_HEADERS = Parameter(
    name="custom_headers",
    kind=shapes.HEADERS,
    label="SIP headers",
    help='A JSON list, as [{"name": "X-Ticket", "value": "4711"}].',
)
# The same recording, asked for before the call is answered.
RECORD_FROM_ANSWER = (
    Parameter(
        name="record",
        kind=Choice(("record-from-answer",)),
        label="Record",
        help="Starts a recording as soon as the call is answered.",
        default="no",
    ),
    Parameter(name="record_format", kind=FORMAT, label="File format", default="mp3"),
    Parameter(name="record_channels", kind=CHANNELS, label="Channels", default="dual"),
    Parameter(
        name="record_max_length",
        kind=Whole(0, 43_200, "s"),
        label="Longest recording",
        help="Seconds; 0 for no limit.",
        default="no limit",
    ),
    Parameter(
        name="record_timeout_secs",
        kind=Whole(0, 43_200, "s"),
        label="Stop after silence",
        help="Seconds; 0 for never. Billed as transcription.",
        default="never",
    ),
    Parameter(name="record_track", kind=TRACK, label="Sides recorded", default="both"),
    Parameter(name="record_trim", kind=TRIM, label="Trim silence", default="keep it"),
    Parameter(
        name="record_custom_file_name",
        kind=FILE_NAME,
        label="File name at Telnyx",
        help="Up to 40 characters; Telnyx adds the time.",
    ),
)

TRANSCRIBE_FROM_ANSWER = (
    Parameter(
        name="transcription",
        kind=YES_NO,
        label="Live captions",
        help="Starts them as soon as the call is answered.",
        default="no",
    ),
    Parameter(
        name="transcription_config",
        kind=shapes.TRANSCRIPTION,
        label="Caption settings",
        help='JSON, as {"transcription_engine": "Google", "transcription_tracks": "both"}.',
    ),
)

WEBHOOKS = (
    Parameter(
        name="webhook_url",
        kind=URL,
        label="Webhook address",
        help="Sends this call's webhooks elsewhere: this desk then no longer hears of it.",
    ),
    Parameter(
        name="webhook_url_method",
        kind=POST_ONLY,
        label="Webhook method",
        help="Telnyx signs nothing that we could check in a GET.",
        default="POST",
    ),
    Parameter(
        name="webhook_urls",
        kind=shapes.WEBHOOK_URLS,
        label="Webhook addresses by event",
        help='JSON, as {"call.hangup": "https://example.com/hangup"}.',
    ),
    Parameter(
        name="webhook_urls_method",
        kind=POST_ONLY,
        label="Webhook method by event",
        default="POST",
    ),
    Parameter(
        name="webhook_retries_policies",
        kind=shapes.RETRIES,
        label="Webhook retries",
        help='JSON, as {"call.hangup": {"retries_ms": [1000, 2000]}}: up to 5, 60 s in all.',
    ),
)

AUDIO = (
    Parameter(
        name="send_silence_when_idle",
        kind=YES_NO,
        label="Send silence when idle",
        default="no",
    ),
    Parameter(
        name="sound_modifications",
        kind=shapes.SOUND,
        label="Change of pitch",
        help='JSON, as {"semitone": -2, "track": "outbound"}.',
    ),
    Parameter(
        name="preferred_codecs",
        kind=Text(),
        label="Codecs, best first",
        help="As G722,PCMU,OPUS.",
    ),
    Parameter(
        name="deepfake_detection",
        kind=shapes.DEEPFAKE,
        label="Deepfake detection",
        help='JSON, as {"enabled": true, "timeout": 15}.',
    ),
)

STREAM = (
    Parameter(
        name="stream_url",
        kind=Text(2000, check=checks.socket_address),
        label="Stream address",
        help="A WebSocket (wss://) that gets the call's audio.",
    ),
    Parameter(
        name="stream_track",
        kind=Choice(("inbound_track", "outbound_track", "both_tracks")),
        label="Sides streamed",
        default="inbound_track",
    ),
    Parameter(
        name="stream_codec", kind=OpenChoice(suggestions=words.CODECS), label="Stream codec"
    ),
    Parameter(
        name="stream_bidirectional_mode",
        kind=OpenChoice(suggestions=("mp3", "rtp")),
        label="Audio sent back",
    ),
    Parameter(
        name="stream_bidirectional_codec",
        kind=OpenChoice(suggestions=words.CODECS),
        label="Codec sent back",
    ),
    Parameter(
        name="stream_bidirectional_target_legs", kind=LEGS, label="Who hears the audio sent back"
    ),
)

ROUTING = (
    CUSTOM_HEADERS,
    Parameter(
        name="sip_headers",
        kind=shapes.USER_TO_USER,
        label="User-to-User headers",
        help='A JSON list, as [{"name": "User-to-User", "value": "4711"}].',
    ),
    Parameter(
        name="billing_group_id",
        kind=Text(check=checks.uuid),
        label="Billing group",
        help="The id of a billing group.",
    ),
    Parameter(
        name="assistant", kind=Anything(), label="AI assistant", help='JSON, as {"id": "..."}.'
    ),
)

ANSWER = (
    *RECORD_FROM_ANSWER,
    *TRANSCRIBE_FROM_ANSWER,
    *AUDIO,
    *STREAM,
    *WEBHOOKS,
    *ROUTING,
    CLIENT_STATE,
)

HANGUP = (
    Parameter(
        name="reason",
        kind=Text(check=checks.hangup_reason),
        label="Reason",
        help="Told to the phone when a call of ours is taken back before it is answered.",
    ),
    CUSTOM_HEADERS,
    CLIENT_STATE,
)

SWITCH_SUPERVISOR_ROLE = (  # no command_id and no client_state: Telnyx documents neither here
    Parameter(
        name="role",
        kind=Choice(("monitor", "whisper", "barge")),
        label="Role",
        help="Monitor is silent, whisper reaches the leg listened in on, barge reaches both.",
        required=True,
    ),
)

DIAL = (
    Parameter(
        name="to",
        kind=Destination(),
        label="Call",
        help="A number or SIP address; digits to press may follow a comma.",
        required=True,
    ),
    Parameter(
        name="from",
        kind=Text(check=checks.address),
        label="As",
        help="The number shown to the other side; one of your Telnyx numbers.",
        required=True,
    ),
    Parameter(
        name="connection_id",
        kind=Text(),
        label="Application",
        help="The id of the Call Control application.",
        required=True,
    ),
    Parameter(
        name="from_display_name",
        kind=Text(128, check=checks.display_name),
        label="Name shown",
        help="Letters, digits, spaces and - _ ~ ! . + only.",
        default="the number",
    ),
    *RECORD_FROM_ANSWER,
    Parameter(
        name="timeout_secs",
        kind=Whole(5, 600, "s"),
        label="Ring for",
        help="Seconds until an unanswered call is given up.",
        default="30",
    ),
    Parameter(
        name="time_limit_secs",
        kind=Whole(30, CALL_S, "s"),
        label="Longest call",
        help="Seconds until the call is hung up.",
        default="14400",
    ),
    Parameter(
        name="answering_machine_detection",
        kind=OpenChoice(suggestions=words.MACHINE_DETECTION),
        label="Answering machines",
        help="Tells people from machines.",
        default="disabled",
    ),
    Parameter(name="media_name", kind=MEDIA, label="Stored sound played on answer"),
    Parameter(name="audio_url", kind=URL, label="Sound from the web played on answer"),
    Parameter(
        name="send_digits_on_answer",
        kind=Text(64, check=checks.digits),
        label="Digits pressed on answer",
        help="0-9 A-D * # and w or W to wait.",
    ),
    Parameter(
        name="link_to",
        kind=Text(),
        label="Same session as",
        help="The control id of another call.",
    ),
    Parameter(
        name="bridge_intent",
        kind=YES_NO,
        label="To be bridged",
        help="With the call in “Same session as”, whose number is then shown.",
        default="no",
    ),
    Parameter(
        name="bridge_on_answer",
        kind=YES_NO,
        label="Bridge on answer",
        help="With the call in “Same session as”.",
        default="no",
    ),
    Parameter(name="prevent_double_bridge", kind=YES_NO, label="Never bridge twice", default="no"),
    Parameter(
        name="park_after_unbridge",
        kind=Choice(("self",)),
        label="Park after the bridge",
        help="Keeps this leg alive when the other one goes.",
        default="hang up",
    ),
    Parameter(
        name="supervise_call_control_id",
        kind=Text(),
        label="Supervise",
        help="The control id of the agent's leg to listen in on.",
    ),
    Parameter(
        name="supervisor_role",
        kind=Choice(("barge", "whisper", "monitor")),
        label="Supervise as",
        help="Monitor is silent, whisper reaches the agent only, barge reaches both.",
        default="barge",
    ),
    Parameter(
        name="media_encryption",
        kind=Choice(("disabled", "SRTP", "DTLS")),
        label="Encrypted audio",
        help="SIP addresses only.",
        default="disabled",
    ),
    Parameter(
        name="privacy",
        kind=Choice(("id", "none")),
        label="Hide the caller",
        help="Id hides number and name.",
        default="none",
    ),
    Parameter(
        name="sip_region",
        kind=OpenChoice(suggestions=("US", "Europe", "Canada", "Australia", "Middle East")),
        label="SIP region",
        default="US",
    ),
    Parameter(
        name="sip_transport_protocol",
        kind=Choice(("UDP", "TCP", "TLS")),
        label="SIP transport",
        default="UDP",
    ),
    Parameter(
        name="retry_on_timeout",
        kind=YES_NO,
        label="Try other routes",
        help="When this one does not answer in time.",
        default="yes",
    ),
    *TRANSCRIBE_FROM_ANSWER,
    *AUDIO,
    *WEBHOOKS,
    *ROUTING,
    CLIENT_STATE,
)
