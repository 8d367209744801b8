"""The live stream, compressed once for all who hear the same: everybody reads what was meant."""

import random
import zlib

import pytest

from dashboard.packing import HEAD, LARGE, accepts_gzip, pack

ROWS = [
    f'<tr id="row-{n}" class="call is-answered"><td>+1 312 945 {n:04}</td></tr>' for n in range(99)
]


class Ear:
    """One browser's end of a packed stream."""

    def __init__(self):
        self.heard = None
        self.packed = HEAD
        self.meant = b""

    def read(self):
        return zlib.decompressobj(wbits=31).decompress(self.packed)


def say(raw, *ears):
    piece, heard = pack(raw, {ear.heard for ear in ears})
    for ear in ears:
        ear.heard, ear.packed, ear.meant = heard, ear.packed + piece, ear.meant + raw
    return piece


def rows(dice, count=3):
    return "".join(dice.choices(ROWS, k=count)).encode()


@pytest.mark.parametrize("seed", range(20))
def test_everybody_reads_what_was_meant_however_they_come_and_fall_behind(seed):
    dice = random.Random(seed)
    ears = [Ear()]

    for _ in range(200):
        deed = dice.random()
        if deed < 0.1:
            ears.append(Ear())
            say(b"board" + rows(dice, 50), ears[-1])
        elif deed < 0.2:
            some = dice.sample(ears, dice.randint(1, len(ears)))
            say(b"alone" + rows(dice), *some)
        elif deed < 0.25:
            dice.choice(ears).heard = None  # its backlog was dropped
        else:
            say(rows(dice), *ears)

    assert [ear.read() for ear in ears] == [ear.meant for ear in ears]


def test_what_was_said_before_makes_what_is_said_again_small():
    ear = Ear()
    first = say(ROWS[0].encode() * 2, ear)

    again = say(ROWS[0].encode(), ear)

    assert len(again) < 20 < len(first)


def test_somebody_who_joins_makes_the_next_piece_begin_anew_and_no_later_one():
    old, new = Ear(), Ear()
    say(ROWS[0].encode(), old)
    say(ROWS[1].encode(), new)

    anew = say(ROWS[0].encode(), old, new)
    later = say(ROWS[0].encode(), old, new)

    assert len(anew) > 3 * len(later)
    assert new.read() == new.meant


def test_after_a_whole_board_no_piece_points_back():
    ear = Ear()
    say(b"".join(row.encode() for row in ROWS) * (LARGE // 6000 + 1), ear)

    assert not ear.heard.is_last


@pytest.mark.parametrize(
    ("header", "does"),
    [
        (b"gzip, deflate, br, zstd", True),
        (b"GZIP", True),
        (b"deflate,gzip;q=0.5", True),
        (b"gzip;q=0", False),
        (b"gzip; q=0.0", False),
        (b"br", False),
        (b"", False),
    ],
)
def test_a_browser_says_whether_it_takes_gzip(header, does):
    assert accepts_gzip(header) is does
