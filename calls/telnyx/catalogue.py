"""Every parameter of the commands we give: one table, from which checks and forms are made.

`command_id` is not here: it is the Command row's own id. Source: docs/telnyx.md#commands
"""

from collections.abc import Mapping

from calls.telnyx import checks, shapes, words
from calls.telnyx.catalogue_calls import ANSWER, DIAL, HANGUP, SWITCH_SUPERVISOR_ROLE
from calls.telnyx.common import (
    CALL_S,
    CHANNELS,
    CLIENT_STATE,
    FILE_NAME,
    FORMAT,
    LEGS,
    MEDIA,
    STOP,
    TRACK,
    TRIM,
    URL,
    YES_NO,
)
from calls.telnyx.kinds import Choice, Loop, OpenChoice, Parameter, Text, Whole

RECORDING_ID = Parameter(
    name="recording_id",
    kind=Text(check=checks.uuid),
    label="Recording",
    help="The id of one recording, if several run on this call.",
    default="the recording of this call",
)
TARGET_LEGS = Parameter(
    name="target_legs",
    kind=LEGS,
    label="Who hears it",
    help="Self is the party on this leg, opposite the other one.",
    default="self",
)
LOOP = Parameter(
    name="loop",
    kind=Loop(),
    label="Times",
    help='How often it is played: 1 to 100, or "infinity" until stopped.',
    default="once",
)
STOP_FIRST = Parameter(
    name="stop",
    kind=STOP,
    label="Stop before",
    help="Current ends what is playing now; all also empties the queue.",
    default="wait for its turn in the queue",
)
TRANSCRIPTION_ENGINE = Parameter(
    name="transcription_engine",
    kind=OpenChoice(suggestions=words.ENGINES),
    label="Engine",
    help="Who turns speech into text. A is Google, B is Telnyx.",
    default="Google",
)
TRANSCRIPTION_CONFIG = Parameter(
    name="transcription_engine_config",
    kind=shapes.ENGINE_CONFIG,
    label="Engine settings",
    help='JSON, as {"transcription_engine": "Google", "language": "en", "interim_results": true}.',
)
TRANSCRIPTION_TRACKS = Parameter(
    name="transcription_tracks",
    kind=TRACK,
    label="Who is captioned",
    help="Inbound is the party on this leg, outbound the other one.",
    default="inbound",
)

PLAYBACK_START = (
    Parameter(
        name="media_name",
        kind=MEDIA,
        label="Stored sound",
        help="The name of a file in Telnyx's media store.",
    ),
    Parameter(
        name="audio_url",
        kind=URL,
        label="Sound from the web",
        help="The address of a WAV or MP3 file that Telnyx can fetch.",
    ),
    Parameter(
        name="playback_content",
        kind=Text(200_000, check=checks.base64_text),
        label="Sound as text",
        help="A WAV or MP3 file in Base64.",
    ),
    TARGET_LEGS,
    LOOP,
    STOP_FIRST,
    Parameter(
        name="overlay",
        kind=YES_NO,
        label="Mix over what is playing",
        help="Works only while another sound plays, and for the party on this leg.",
        default="no",
    ),
    Parameter(
        name="audio_type",
        kind=FORMAT,
        label="Type of sound",
        help="What the file at the address, or the text, holds.",
        default="mp3",
    ),
    Parameter(
        name="cache_audio",
        kind=YES_NO,
        label="Keep the file for the call",
        help="No fetches it again each time it is played.",
        default="yes",
    ),
    CLIENT_STATE,
)

PLAYBACK_STOP = (
    Parameter(
        name="stop",
        kind=STOP,
        label="Stop",
        help="Current goes on with the queue; all empties it. Ends spoken text too.",
        default="all",
    ),
    Parameter(
        name="overlay",
        kind=YES_NO,
        label="Stop the sound mixed over",
        help="Yes stops what was started with “Mix over what is playing”.",
        default="no",
    ),
    CLIENT_STATE,
)

RECORD_START = (
    Parameter(
        name="format",
        kind=FORMAT,
        label="File format",
        help="MP3 is small, WAV is exact.",
        required=True,
    ),
    Parameter(
        name="channels",
        kind=CHANNELS,
        label="Channels",
        help="Dual keeps the two sides apart: this leg left, everyone else right.",
        required=True,
    ),
    Parameter(
        name="play_beep",
        kind=YES_NO,
        label="Beep at the start",
        help="Tells the parties that recording begins.",
        default="no beep",
    ),
    Parameter(
        name="max_length",
        kind=Whole(0, CALL_S, "s"),
        label="Longest recording",
        help="Seconds until it stops by itself; 0 for no limit.",
        default="no limit",
    ),
    Parameter(
        name="timeout_secs",
        kind=Whole(0, CALL_S, "s"),
        label="Stop after silence",
        help=(
            "Seconds of silence, counted once someone has spoken; 0 for never. "
            "Telnyx bills it as transcription, and it excludes live captions."
        ),
        default="never",
    ),
    Parameter(
        name="recording_track",
        kind=TRACK,
        label="Sides recorded",
        help="Inbound is the party on this leg. One side alone is mono, whatever Channels says.",
        default="both",
    ),
    Parameter(
        name="trim",
        kind=TRIM,
        label="Trim silence",
        help="Removes silence from the beginning and the end.",
        default="keep it",
    ),
    Parameter(
        name="custom_file_name",
        kind=FILE_NAME,
        label="File name at Telnyx",
        help="Up to 40 characters; Telnyx adds the time.",
        default="the id of the call leg",
    ),
    Parameter(
        name="transcription",
        kind=YES_NO,
        label="Transcribe afterwards",
        help="Telnyx sends the text once the recording is done.",
        default="no",
    ),
    Parameter(
        name="transcription_engine",
        kind=OpenChoice(suggestions=("A", "B", "deepgram/nova-3")),
        label="Transcription engine",
        help="A is Google, B is Telnyx; deepgram/nova-3 knows English only.",
        default="A",
    ),
    Parameter(
        name="transcription_language",
        kind=OpenChoice(suggestions=words.TRANSCRIPTION_LANGUAGES),
        label="Language spoken",
        help="As en-US; not every engine knows every language.",
        default="en-US",
    ),
    Parameter(
        name="transcription_profanity_filter",
        kind=YES_NO,
        label="Mask swear words",
        help="Google only.",
        default="no",
    ),
    Parameter(
        name="transcription_speaker_diarization",
        kind=YES_NO,
        label="Tell speakers apart",
        help="Google only.",
        default="no",
    ),
    Parameter(
        name="transcription_min_speaker_count",
        kind=Whole(1, 100),
        label="Fewest speakers",
        help="Google only.",
        default="2",
    ),
    Parameter(
        name="transcription_max_speaker_count",
        kind=Whole(1, 100),
        label="Most speakers",
        help="Google only.",
        default="6",
    ),
    CLIENT_STATE,
)

SPEAK = (
    Parameter(
        name="payload",
        kind=Text(3000, lines=True),
        label="Text to say",
        help="Up to 3,000 characters of text or SSML.",
        required=True,
    ),
    Parameter(
        name="voice",
        kind=OpenChoice(suggestions=words.VOICES),
        label="Voice",
        help="As AWS.Polly.Joanna: provider, model and voice.",
        required=True,
    ),
    Parameter(
        name="language",
        kind=OpenChoice(suggestions=words.SPEAK_LANGUAGES),
        label="Language",
        help="As en-US. Polly voices bring their own.",
        default="the voice's",
    ),
    TARGET_LEGS,
    Parameter(
        name="payload_type",
        kind=Choice(("text", "ssml")),
        label="Type of text",
        help="SSML is XML in <speak> that sets pauses and emphasis.",
        default="text",
    ),
    LOOP,
    STOP_FIRST,
    Parameter(
        name="service_level",
        kind=Choice(("basic", "premium")),
        label="Service level",
        help="Basic speaks plain en-US text only, in the voice male or female.",
        default="premium",
    ),
    Parameter(
        name="voice_settings",
        kind=shapes.VOICE_SETTINGS,
        label="Voice settings",
        help='JSON, as {"type": "telnyx", "voice_speed": 1.2}.',
    ),
    CLIENT_STATE,
)

ACTIONS: Mapping[str, tuple[Parameter, ...]] = {
    "record_start": RECORD_START,
    "record_pause": (RECORDING_ID, CLIENT_STATE),
    "record_resume": (RECORDING_ID, CLIENT_STATE),
    "record_stop": (RECORDING_ID, CLIENT_STATE),
    "playback_start": PLAYBACK_START,
    "playback_stop": PLAYBACK_STOP,
    "speak": SPEAK,
    "transcription_start": (
        TRANSCRIPTION_TRACKS,
        TRANSCRIPTION_ENGINE,
        TRANSCRIPTION_CONFIG,
        CLIENT_STATE,
    ),
    "transcription_stop": (CLIENT_STATE,),
    "answer": ANSWER,
    "hangup": HANGUP,
    "dial": DIAL,
    "switch_supervisor_role": SWITCH_SUPERVISOR_ROLE,
}
