"""What the recordings' files sound like: who is on which channel, and what became of pauses."""

import wave

import numpy as np
import pytest

from simulator import audio, speech, tape
from simulator.clips import Clip, Word
from simulator.files import Shelf
from simulator.legs import Recording
from simulator.settings import Settings
from tests.simulator_rig import NOON, Scene

RATE = speech.RATE
STEREO = {"format": "wav", "channels": "dual"}


class Tones:
    """Sounds that are easy to find again: a word is a second of a pitch of its own."""

    def speech(self, text, voice):
        words = text.split()
        clipped = tuple(Word(w, n * 1_000, (n + 1) * 1_000) for n, w in enumerate(words))
        return Clip("speech", text, 1_000 * len(words), clipped, voice)

    def media(self, name):
        return Clip("media", name, 1_000)

    def samples(self, clip):
        pitches = [int(word) for word in clip.key.split()]
        at = np.arange(RATE) / RATE
        return np.concatenate([8_000 * np.sin(2 * np.pi * p * at) for p in pitches]).astype(
            np.int16
        )


def recorded(tmp_path, play, settings=None, **wish):
    """Record a call in which `play` happens; return the file's channels and the recording."""
    scene = Scene(sounds=Tones(), settings=settings or Settings())
    customer, agent = scene.call()
    scene.does(customer, "record_start", **STEREO | wish)
    play(scene, customer, agent)
    if customer.recording != "off":
        scene.does(customer, "record_stop")
    recording: Recording = customer.recordings[0]
    path = tmp_path / "file.wav"
    audio.write_wav(path, recording, Tones().samples)
    return channels(path), recording


def channels(path):
    with wave.open(str(path), "rb") as file:
        assert (file.getframerate(), file.getsampwidth()) == (RATE, 2)
        frames = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
        return frames.reshape(-1, file.getnchannels()).T


def pitch(samples, second):
    """Return the pitch that sounds in the middle of a second; 0 is silence."""
    part = samples[int((second + 0.25) * RATE) : int((second + 0.75) * RATE)].astype(float)
    if not len(part) or np.abs(part).max() < 100:
        return 0
    return round(np.fft.rfftfreq(len(part), 1 / RATE)[np.abs(np.fft.rfft(part)).argmax()])


def pitches(samples):
    return [pitch(samples, second) for second in range(round(len(samples) / RATE))]


def talk(scene, customer, agent):
    scene.world.say(agent, "500 600", scene.now)
    scene.wait(2)
    scene.world.say(customer, "700", scene.now)
    scene.wait(1)


def test_the_customer_is_on_the_left_and_everybody_else_on_the_right(tmp_path):
    def play(scene, customer, agent):
        talk(scene, customer, agent)
        scene.does(customer, "speak", payload="900", voice="male")
        scene.wait(1)

    (left, right), _ = recorded(tmp_path, play)
    assert pitches(left) == [0, 0, 700, 0]
    assert pitches(right) == [500, 600, 0, 900]


def test_a_single_channel_holds_both(tmp_path):
    (mono,), _ = recorded(tmp_path, talk, channels="single")
    assert pitches(mono) == [500, 600, 700]


@pytest.mark.parametrize(
    ("track", "heard"), [("inbound", [0, 0, 700]), ("outbound", [500, 600, 0])]
)
def test_one_track_alone_makes_one_channel(tmp_path, track, heard):
    (mono,), _ = recorded(tmp_path, talk, recording_track=track)
    assert pitches(mono) == heard


def pause(scene, customer, agent):
    """Say three words, the second one during a pause."""
    scene.world.say(customer, "500 600 700", scene.now)
    scene.wait(1)
    scene.does(customer, "record_pause")
    scene.wait(1)
    scene.does(customer, "record_resume")
    scene.wait(1)


def test_a_pause_is_cut_out_of_the_file(tmp_path):
    (left, _), recording = recorded(tmp_path, pause)
    assert pitches(left) == [500, 700]
    assert tape.duration_ms(recording, NOON) == 2_000 == len(left) * 1_000 // RATE


def test_a_pause_is_silent_in_the_file(tmp_path):
    (left, _), recording = recorded(tmp_path, pause, Settings(pause_mode="silence"))
    assert pitches(left) == [500, 0, 700]
    assert tape.duration_ms(recording, NOON) == 3_000 == len(left) * 1_000 // RATE


@pytest.mark.parametrize("mode", ["cut", "silence"])
def test_the_truth_says_where_in_the_file_a_line_is(tmp_path, mode):
    (left, _), recording = recorded(tmp_path, pause, Settings(pause_mode=mode))
    for line in tape.lines(recording, NOON):
        assert line["end_ms"] - line["at_ms"] == 1_000
        assert pitch(left, line["at_ms"] / 1_000) == int(line["text"])
    assert tape.text_of(recording) == "500 700"


def test_a_recording_stopped_while_paused_ends_at_the_pause(tmp_path):
    def play(scene, customer, agent):
        scene.world.say(customer, "500 600", scene.now)
        scene.wait(1)
        scene.does(customer, "record_pause")
        scene.wait(1)

    (left, _), _ = recorded(tmp_path, play)
    assert pitches(left) == [500]


def test_a_file_that_loops_starts_over_until_it_is_stopped(tmp_path):
    def play(scene, customer, agent):
        scene.does(customer, "speak", payload="500 600", voice="male", loop=2)
        scene.wait(3)
        scene.does(customer, "playback_stop")
        scene.wait(1)

    (_, right), _ = recorded(tmp_path, play)
    assert pitches(right) == [500, 600, 500, 0]


def test_what_began_before_the_recording_is_in_it_from_its_start(tmp_path):
    scene = Scene(sounds=Tones())
    customer, _ = scene.call()
    scene.world.say(customer, "500 600", scene.now)
    scene.wait(1)
    scene.does(customer, "record_start", **STEREO)
    scene.wait(1)
    scene.does(customer, "hangup")
    audio.write_wav(tmp_path / "file.wav", customer.recordings[0], Tones().samples)
    assert pitches(channels(tmp_path / "file.wav")[0]) == [600]


def test_people_who_talk_at_once_are_mixed(tmp_path):
    def play(scene, customer, agent):
        scene.world.say(customer, "500", scene.now)
        scene.world.say(agent, "900", scene.now)
        scene.wait(1)

    (mono,), _ = recorded(tmp_path, play, channels="single")
    spectrum = np.abs(np.fft.rfft(mono[:RATE].astype(float)))
    assert {500, 900} == set(np.argsort(spectrum)[-2:])


def test_a_long_recording_is_rendered_in_blocks_without_a_seam(tmp_path):
    def play(scene, customer, agent):
        scene.wait(59)
        scene.world.say(customer, "500 500", scene.now)
        scene.wait(2)

    (left, _), _ = recorded(tmp_path, play)
    assert len(left) == 61 * RATE
    seam = left[59 * RATE : 61 * RATE].astype(float)
    wanted = Tones().samples(Clip("speech", "500 500", 2_000)).astype(float)
    assert np.abs(seam - wanted).max() <= 1


def test_an_empty_recording_is_a_file_all_the_same(tmp_path):
    (left, right), _ = recorded(tmp_path, lambda scene, customer, agent: None)
    assert (len(left), len(right)) == (0, 0)


def test_mp3_and_wav_of_a_recording_last_equally_long(tmp_path):
    settings = Settings()
    shelf = Shelf(tmp_path, b"secret", settings, Tones().samples)
    _, recording = recorded(tmp_path, talk, settings)
    wav, mp3 = shelf.file(recording, "wav"), shelf.file(recording, "mp3")
    assert mp3.read_bytes()[:1] == b"\xff"
    lengths = [len(audio.decode(path.read_bytes())) / RATE for path in (wav, mp3)]
    assert lengths[0] == 3
    assert lengths[1] == pytest.approx(3, abs=0.25)


def test_spoken_words_come_at_their_times():
    spoken = speech.speak("Thank you for calling. Goodbye.", "en-us")
    assert [word.text for word in spoken.words] == ["Thank", "you", "for", "calling.", "Goodbye."]
    starts = [word.start_ms for word in spoken.words]
    assert starts == sorted(set(starts))
    assert spoken.words[-1].end_ms == len(spoken.samples) // speech.PER_MS
    assert np.abs(spoken.samples).max() > 3_000


def test_tones_stand_in_for_speech_where_there_is_no_synthesiser():
    short, long = speech.tones("one two", "x"), speech.tones("one two three four", "x")
    assert len(long.samples) > 1.5 * len(short.samples)
    for word in long.words:
        part = long.samples[word.start_ms * speech.PER_MS : word.end_ms * speech.PER_MS]
        assert np.abs(part).max() > 5_000
    assert len(speech.tones("", "x").samples) == 0


def test_a_text_without_words_is_silent():
    assert speech.speak("...", "en-us").words == ()


def test_an_unknown_voice_still_speaks():
    assert len(speech.speak("Hello.", "tlh+f9").samples) > RATE // 4


def test_what_is_no_audio_cannot_be_decoded():
    with pytest.raises(ValueError, match="not a wav or mp3 file"):
        audio.decode(b"<html></html>")
