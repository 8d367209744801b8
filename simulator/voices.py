"""The voices that the account can speak with: provider, id, language, gender."""

VOICES = (
    ("aws", "AWS.Polly.Joanna", "en-US", "Female"),
    ("aws", "AWS.Polly.Joanna-Neural", "en-US", "Female"),
    ("aws", "AWS.Polly.Matthew-Neural", "en-US", "Male"),
    ("aws", "AWS.Polly.Amy-Neural", "en-GB", "Female"),
    ("aws", "AWS.Polly.Vicki-Neural", "de-DE", "Female"),
    ("aws", "AWS.Polly.Lucia-Generative", "es-ES", "Female"),
    ("azure", "Azure.en-US-BrianMultilingualNeural", "en-US", "Male"),
    ("azure", "Azure.en-US-Ava:DragonHDLatestNeural", "en-US", "Female"),
    ("telnyx", "Telnyx.KokoroTTS.af", "en-US", "Female"),
    ("telnyx", "Telnyx.Natural.abbie", "en-US", "Female"),
    ("telnyx", "Telnyx.NaturalHD.astra", "en-US", "Female"),
    ("minimax", "Minimax.speech-02-hd.Wise_Woman", "en-US", "Female"),
    ("rime", "Rime.ArcanaV3.cove", "en-US", "Male"),
    ("xai", "xAI.eve", "en-US", "Female"),
)


def language_of(voice_id: str) -> str:
    """Return the language that a voice brings, or "" for one that is not listed."""
    return next((language for _, name, language, _ in VOICES if name == voice_id), "")


def is_male(voice_id: str) -> bool:
    """Say whether a listed voice is a man's."""
    return any(name == voice_id and gender == "Male" for _, name, _, gender in VOICES)
