"""PocketSphinx: hears the words of a text in any order, or follows a text that is known.

One recogniser knows one text: its dictionary holds that text's words and common ones, which
keeps it small.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from pocketsphinx import Config, Decoder, get_model_path
from pocketsphinx.lm import ArpaBoLM

from recordings.alignment import matching
from recordings.alignment.pronouncing import Dictionary
from recordings.alignment.sound import Span, Track

MODELS = {"en": "en-us"}  # by language; the wheel carries this one
FRAME_MS = 10
DISCOUNT = 0.25  # kept for words in an order that the text does not have
LANGUAGE_WEIGHT = 10.0
PATH_WEIGHT = 12.0
GAUSSIANS = 8  # per codebook; 4 is usual, but is too few for a band the model was not made for
MOST_STATES = 1_000  # of the search at a time; more are slower, and find no more
PLENTY = 300  # words of a text, among which there is something like everything else
SKIP = 0.02  # probability that a word of the text was not said
OTHER = 0.02  # that something else was
# What else people say, of many sounds: without it a short text is heard in any speech.
COMMON = """
the and to of you that it is was for on are with have this from one had but what all were when
your can there each how will about many then them would like him time look more go see number no
way could people my than first call who now find long down day did get come made may part over
please thank yes hello okay sorry morning address account question problem minute
"""


class Heard(NamedTuple):
    """A word, when it sounded, and how much that proves."""

    key: str
    start_ms: int
    end_ms: int
    proof: float = 1.0


def model_for(language: str) -> str | None:
    """Return the model's name for a language such as "en-GB"."""
    return MODELS.get(language.lower().replace("_", "-").partition("-")[0])


def dictionary_of(model: str) -> Dictionary:
    with Path(get_model_path(f"{model}/cmudict-{model}.dict")).open(encoding="utf-8") as lines:
        return Dictionary(lines)


class Recogniser:
    """A decoder that knows the words of one text, and others that may be said in their place."""

    def __init__(
        self, model: str, sounds: Mapping[str, Sequence[str]], others: Mapping[str, Sequence[str]]
    ) -> None:
        self.others = [word for word in others if word not in sounds]
        with tempfile.NamedTemporaryFile("w", suffix=".dict", encoding="utf-8") as file:
            for key, each in {**others, **sounds}.items():
                for number, phones in enumerate(each, 1):
                    file.write(
                        f"{key}({number}) {phones}\n" if number > 1 else f"{key} {phones}\n"
                    )
            file.flush()
            self.decoder = Decoder(
                Config(
                    hmm=get_model_path(f"{model}/{model}"),
                    dict=file.name,
                    lm=None,
                    lw=LANGUAGE_WEIGHT,
                    bestpathlw=PATH_WEIGHT,
                    topn=GAUSSIANS,
                    pl_window=0,  # looking ahead by phones loses words in noise
                    maxhmmpf=MOST_STATES,
                    fwdflat=False,  # a second pass costs a quarter more, and finds no more
                    loglevel="FATAL",
                    logfn=os.devnull,
                )
            )

    def expect(self, keys: Iterable[str]) -> None:
        """Listen for these words, likeliest in this order."""
        said = list(keys)
        others = self.others if len(said) < PLENTY else []
        model = ArpaBoLM(discount_mass=DISCOUNT)
        for line in (said, *([word] for word in others)):
            _count(model, ["<s>", *line, "</s>"])
        model.compute()
        with tempfile.NamedTemporaryFile("w", suffix=".lm", encoding="utf-8") as file:
            model.write(file)
            file.flush()
            self.decoder.add_lm_file("text", file.name)
        self.decoder.activate_search("text")

    def hear(self, track: Track, span: Span) -> list[Heard]:
        """Return the words heard in a stretch."""
        return list(self._decode(track, span))

    def follow(self, track: Track, span: Span, keys: Sequence[str]) -> list[Heard | None]:
        """Return each word of a known text as heard in a stretch, None if it was not."""
        steps: list[tuple[int, int, float] | tuple[int, int, float, str]] = []
        for at, key in enumerate(keys):
            steps += [(at, at + 1, 1 - SKIP - OTHER, key), (at, at + 1, SKIP)]
            steps.append((at, at + 1, OTHER, "[SPEECH]"))
        self.decoder.config["bestpath"] = False  # of a lattice: slow, and finds more by chance
        self.decoder.add_fsg("line", self.decoder.create_fsg("line", 0, len(keys), steps))
        self.decoder.config["bestpath"] = True
        self.decoder.activate_search("line")
        heard = list(self._decode(track, span))
        found: list[Heard | None] = [None] * len(keys)
        for at, second in matching.match(keys, [each.key for each in heard], alone=True):
            found[at] = heard[second]
        return found

    def _decode(self, track: Track, span: Span) -> Iterator[Heard]:
        sound = track.read(span)
        self.decoder.start_utt()
        self.decoder.process_raw(sound.tobytes(), full_utt=True)
        self.decoder.end_utt()
        for each in self.decoder.seg() or ():
            if each.word[0] not in "<[(":
                yield Heard(
                    each.word.partition("(")[0],
                    span.start_ms + each.start_frame * FRAME_MS,
                    span.start_ms + (each.end_frame + 1) * FRAME_MS,
                )


def _count(model: ArpaBoLM, words: Sequence[str]) -> None:
    """Add a line to a language model; its own way takes time by the square of the length."""
    for first, second, third in zip_longest(words, words[1:], words[2:]):
        model.grams_1[first] += 1
        if second:
            model.grams_2[first][second] += 1
        if third:
            model.grams_3[first][second][third] += 1
