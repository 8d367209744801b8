"""Texts land on the word they belong to, and what is not said gets no time."""

import json
import wave
from itertools import pairwise

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from calls.audio import NotAudio
from dashboard.bench import voices
from recordings.alignment import (
    align,
    matching,
    pronouncing,
    recogniser,
    search,
    sound,
    spoken,
    text,
)
from simulator import speech

RATE = 8_000
SENTENCES = (
    "Thank you for calling the harbour clinic, how can I help you today?",
    "I would like to move my appointment from Tuesday to Thursday afternoon.",
    "My order number is 4512 and the parcel should have arrived last Friday.",
    "It is Kowalczyk, and I have been waiting for almost twenty minutes.",
    "Is there anything else that I can do for you?",
)
VOICES = ("en-us", "en-gb")


def save(path, samples):
    """Write samples of shape (frames,) or (frames, channels) as WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(samples.ndim if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def silence(ms):
    return np.zeros(ms * RATE // 1000, dtype=np.int16)


def spoken_aloud(sentences=SENTENCES, pause_ms=500, noise=0.0):
    """Return sentences as sound, and the true start of each."""
    parts, starts, at = [], [], 0
    for number, sentence in enumerate(sentences):
        said = speech.speak(sentence, VOICES[number % 2])
        parts += [silence(pause_ms), said.samples]
        starts.append(at + pause_ms)
        at += pause_ms + len(said.samples) * 1000 // RATE
    samples = np.concatenate(parts)
    hiss = np.random.default_rng(1).normal(0, noise, len(samples)) if noise else 0
    return np.clip(samples + hiss, -32768, 32767).astype(np.int16), starts


@pytest.fixture(scope="module", autouse=True)
def _needs_a_voice():
    if speech._espeak() is None:
        pytest.skip("eSpeak NG is not installed")


@pytest.fixture(scope="module")
def dictionary():
    return recogniser.dictionary_of("en-us")


def off_ms(segments, starts):
    return [abs(segment.start_ms - start) for segment, start in zip(segments, starts, strict=True)]


def test_every_sentence_starts_where_it_is_said(tmp_path):
    samples, starts = spoken_aloud(noise=150)
    segments = align(save(tmp_path / "call.wav", samples), " ".join(SENTENCES))
    assert [segment.text for segment in segments] == list(SENTENCES)
    assert sorted(off_ms(segments, starts))[len(starts) // 2] < 150
    assert max(off_ms(segments, starts)) < 400
    assert all(segment.is_confident for segment in segments)
    words = [word for segment in segments for word in segment.words if word.start_ms is not None]
    assert [word.start_ms for word in words] == sorted(word.start_ms for word in words)
    assert {"4512", "Kowalczyk,"} <= {word.word for word in words}


@pytest.mark.long
def test_noise_and_wrong_words_over_two_minutes_stay_within_loose_bounds(tmp_path):
    call = voices.Call(2, snr_db=15.0, wrong=0.1, channels=2)
    said = voices.record(tmp_path / "call.wav", call)
    segments = align(tmp_path / "call.wav", "\n".join(each.text for each in said))
    starts = [each.start_ms for each in said]
    off = sorted(
        abs(segment.start_ms - start)
        for segment, start in zip(segments, starts, strict=True)
        if segment.is_confident
    )
    assert len(off) > len(said) * 0.5
    assert off[len(off) // 2] < 150
    assert off[len(off) * 9 // 10] < 400
    assert off[-1] < 2_000
    right = [
        segment.channel == each.channel
        for segment, each in zip(segments, said, strict=True)
        if segment.is_confident
    ]
    assert sum(right) > len(right) * 0.9


def test_a_sentence_that_nobody_says_gets_no_time(tmp_path):
    samples, starts = spoken_aloud()
    invented = "Quantum lizards orbit every violin basket beneath purple thunder."
    written = [*SENTENCES[:2], invented, *SENTENCES[2:]]
    segments = align(save(tmp_path / "call.wav", samples), "\n".join(written))
    wrong = segments.pop(2)
    assert (wrong.text, wrong.start_ms, wrong.end_ms) == (invented, None, None)
    assert wrong.confidence is None
    assert {(word.start_ms, word.end_ms) for word in wrong.words} == {(None, None)}
    assert max(off_ms(segments, starts)) < 400


def test_a_wholly_wrong_text_is_not_aligned(tmp_path):
    samples, _ = spoken_aloud(SENTENCES[:3])
    segments = align(
        save(tmp_path / "call.wav", samples),
        "Orchards bloom above violet rivers. Seven pelicans juggle marble trumpets nightly.",
    )
    assert [segment.is_confident for segment in segments] == [False, False]


def test_long_silence_and_a_sentence_cut_out_move_nothing_else(tmp_path):
    first, _ = spoken_aloud(SENTENCES[:2])
    last, starts = spoken_aloud(SENTENCES[3:])
    samples = np.concatenate((first, silence(25_000), last))
    segments = align(save(tmp_path / "call.wav", samples), " ".join(SENTENCES))
    shift = len(first) * 1000 // RATE + 25_000
    assert segments[2].start_ms is None  # its audio was paused away
    assert max(off_ms(segments[3:], [start + shift for start in starts])) < 400


def test_the_channel_with_the_voice_is_the_speaker(tmp_path):
    samples, _ = spoken_aloud(SENTENCES[:2], pause_ms=600)
    change = len(silence(600)) + len(speech.speak(SENTENCES[0], VOICES[0]).samples)
    both = np.random.default_rng(1).normal(0, 40, (len(samples), 2))
    both[:change, 1] += samples[:change]
    both[change:, 0] += samples[change:]
    path = save(tmp_path / "call.wav", np.clip(both, -32768, 32767))
    assert [each.channel for each in align(path, " ".join(SENTENCES[:2]))] == [1, 0]


def test_a_language_without_a_model_stays_untimed(tmp_path):
    samples, _ = spoken_aloud(SENTENCES[:1])
    segments = align(save(tmp_path / "call.wav", samples), "Guten Tag.", language="de-DE")
    assert [(each.text, each.start_ms, each.confidence) for each in segments] == [
        ("Guten Tag.", None, None)
    ]


@pytest.mark.parametrize("written", ["...", "— ?!", "hello", "\n"])
def test_a_text_with_nothing_to_follow_gets_no_time(tmp_path, written):
    path = save(tmp_path / "call.wav", silence(1_000))
    assert all(each.start_ms is None for each in align(path, written))


def test_the_command_prints_the_shape_that_others_read(tmp_path, capsys):
    samples, starts = spoken_aloud(SENTENCES[:1])
    audio = save(tmp_path / "call.wav", samples)
    (tmp_path / "text.txt").write_text(SENTENCES[0])
    call_command("align", str(audio), str(tmp_path / "text.txt"), "--json")
    (segment,) = json.loads(capsys.readouterr().out)["segments"]
    assert list(segment) == ["text", "start_ms", "end_ms", "confidence", "words"]
    assert abs(segment["start_ms"] - starts[0]) < 400
    assert list(segment["words"][0]) == ["word", "start_ms", "end_ms"]
    call_command("align", str(audio), str(tmp_path / "text.txt"))
    assert SENTENCES[0] in capsys.readouterr().out


@pytest.mark.parametrize(
    ("audio", "written", "complaint"),
    [
        (b"<html>", b"hello", "call.wav cannot be aligned. The file is a web page"),
        (b"", b"hello", "call.wav cannot be aligned. The file is empty"),
        (None, b"hello", "call.wav is not a file"),
        (b"", b"\xff\xfe\x00", "text.txt is not UTF-8 text: byte 0"),
        (b"", b" \n", "text.txt holds no text"),
        (b"", None, "text.txt cannot be read: No such file"),
    ],
)
def test_bad_files_are_named_with_what_is_wrong(tmp_path, audio, written, complaint):
    for name, content in (("call.wav", audio), ("text.txt", written)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=complaint):
        call_command("align", str(tmp_path / "call.wav"), str(tmp_path / "text.txt"))


def test_what_is_no_audio_is_refused(tmp_path):
    (tmp_path / "call.wav").write_bytes(b'{"error": 1}')
    with pytest.raises(NotAudio, match="JSON"):
        align(tmp_path / "call.wav", "hello")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("4512", "forty five twelve"),
        ("4512", "four five one two"),
        ("$58.20", "fifty eight dollars and twenty cents"),
        ("10:30", "ten thirty"),
        ("2019", "twenty nineteen"),
        ("1,200", "one thousand two hundred"),
        ("12th", "twelfth"),
        ("21st", "twenty first"),
        ("50%", "fifty percent"),
        ("3.5", "three point five"),
        ("5550100", "five five five oh one oh oh"),
        ("bob@example.com", "bob at example dot com"),
        ("You’re,", "you're"),  # noqa: RUF001
    ],
)
def test_a_number_may_be_said_like_this(written, said):
    assert said in spoken.ways(written)


@pytest.mark.parametrize("sign", ["—", "...", "", "?!", "(", "♪"])
def test_nobody_says_a_mere_sign(sign):
    assert spoken.ways(sign) == []


@pytest.mark.parametrize(
    ("word", "phones"),
    [
        ("hello", "HH AH L OW"),
        ("tapeline", "T EY P L AY N"),
        ("Mrkz", "EH M AA R K EY Z IY"),
        ("Zblate", "Z B L EY T"),
    ],
)
def test_every_word_has_a_sound(dictionary, word, phones):
    assert phones in pronouncing.pronounce(word, dictionary)


@pytest.mark.parametrize("word", ["Łódź", "naïve-ish", "x", "привет", "0", "a" * 300, "9" * 300])
def test_no_word_breaks_the_rules_of_sounds(dictionary, word):
    lines = "".join(dictionary.sections.values()).split("\n")
    known = {phone for line in lines for phone in line.split()[1:]}
    for phones in pronouncing.pronounce(word, dictionary):
        assert set(phones.split()) <= known


def test_sentences_end_at_full_stops_but_not_after_a_title():
    assert text.sentences("Dr. No is in. Is he?\nYes") == ["Dr. No is in.", "Is he?", "Yes"]


def test_a_text_without_full_stops_is_cut_at_a_comma():
    pieces = text.sentences(" ".join(["one"] * 20) + ", " + " ".join(["two"] * 40))
    assert [len(piece.split()) for piece in pieces] == [20, 30, 10]


def test_a_rare_run_beats_common_words_that_are_out_of_order():
    written = list("abxyzabcd")
    heard = list("abcd")
    assert matching.match(written, heard) == [(5, 0), (6, 1), (7, 2), (8, 3)]


def test_a_word_alone_is_no_anchor():
    assert matching.match(list("abcd"), list("axcd")) == [(2, 2), (3, 3)]


@pytest.mark.parametrize(("early", "kept"), [(4, 6), (5, 10)])
def test_a_few_words_that_a_long_pause_parts_from_their_sentence_get_no_time(early, kept):
    words = "abcdefghij"
    tokens = [text.Token(word, word, 0, 300) for word in words]
    starts = [300 * at + (0 if at < early else 1_000) for at in range(len(words))]
    found = {
        at: recogniser.Heard(word, start, start + 300)
        for at, (word, start) in enumerate(zip(words, starts, strict=True))
    }
    assert len(search._Text(tokens).without_strays(found)) == kept


def test_pieces_are_short_and_leave_long_silence_out(tmp_path):
    samples, _ = spoken_aloud(SENTENCES * 2)
    path = save(tmp_path / "call.wav", np.concatenate((samples, silence(30_000), samples)))
    with sound.track(path, sound.audio.probe(path)) as track:
        spans = list(sound.pieces(track))
    assert max(end - start for start, end in spans) <= sound.LONGEST_MS
    assert sum(end - start for start, end in spans) < track.duration_ms - 28_000
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(spans))
