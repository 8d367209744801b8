"""Kinds and parameters that several commands share."""

from calls.telnyx import checks
from calls.telnyx.kinds import Choice, Parameter, Text, YesNo

CALL_S = 14_400  # Telnyx: no call is longer than four hours
YES_NO = YesNo()
LEGS = Choice(("self", "opposite", "both"))
STOP = Choice(("current", "all"))
TRACK = Choice(("both", "inbound", "outbound"))
CHANNELS = Choice(("single", "dual"))
FORMAT = Choice(("mp3", "wav"))
TRIM = Choice(("trim-silence",))
MEDIA = Text()
URL = Text(2000, check=checks.web_address)
FILE_NAME = Text(40)


CLIENT_STATE = Parameter(
    name="client_state",
    kind=Text(4096, check=checks.base64_text),
    label="Client state",
    help="Base64. Replaces what your own call flow stored on this call. Leave empty if unsure.",
)
