"""The bench measures what it says, and marks a run void when the comparison fails."""

import os
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
from django.core.management import CommandError, call_command
from nacl.signing import SigningKey

from calls import intake as door
from dashboard.bench import (
    board,
    click,
    comparison,
    figures,
    intake,
    library,
    machine,
    memory,
    webhooks,
)
from dashboard.bench.databases import Database
from dashboard.bench.stage import Broken, Stage
from tests.conftest import KEY

TURN = comparison.Turn(
    per_s=1000,
    cpu_us=200,
    database_us=0,
    p50_ms=5,
    p99_ms=20,
    folded_per_s=300,
    generator_cores=0.3,
    refused=0,
    missing=0,
)
BOOK = replace(TURN, per_s=200, folded_per_s=0)


def compared(*rounds, mode=comparison.OFF):
    rounds = [comparison.Round(*turns, 0.5) for turns in rounds]
    return comparison.Comparison("SQLite", mode, rounds)


@pytest.mark.long
def test_intake_compares_two_servers_on_the_same_kind_of_database():
    sizes = intake.Sizes(2, 0.3, modes=[comparison.OFF], databases=["sqlite"])
    said = []

    measured = intake.run(sizes, said.append)

    (told,) = measured["comparisons"]
    assert told["database"].startswith("SQLite 3.")
    assert [sorted(turns) for turns in told["rounds"]] == [
        ["door", "load", "ratio", "textbook"]
    ] * 2
    for turns in told["rounds"]:
        for turn in (turns["door"], turns["textbook"]):
            assert turn["per_s"] > 0
            assert turn["cpu_us"] > 0
            assert (turn["missing"], turn["refused"]) == (0, 0)
            assert turn["p50_ms"] <= turn["p99_ms"]
    ratio = told["ratio"]
    assert 1 < ratio["least"] <= ratio["median"] <= ratio["most"]
    assert len(said) == 2
    assert "the door" in "\n".join(intake.lines(measured))


def test_even_rounds_are_not_void():
    assert compared((TURN, BOOK), (TURN, replace(BOOK, per_s=240))).void == []


@pytest.mark.parametrize(
    ("door", "book", "reason"),
    [
        (TURN, replace(BOOK, per_s=270), "the textbook view varied by 30%"),
        (replace(TURN, generator_cores=0.9), BOOK, "the generator used 0.90 of a core"),
        (replace(TURN, missing=3), BOOK, "3 acknowledged webhooks are not in the database"),
        (TURN, replace(BOOK, refused=2), "2 webhooks were not answered with 200"),
        (replace(TURN, per_s=0), BOOK, "a server acknowledged nothing"),
    ],
)
def test_a_broken_run_is_marked_void(door, book, reason):
    broken = compared((TURN, BOOK), (door, book))

    assert [why for why in broken.void if why.startswith(reason)]
    shown = intake.lines({"comparisons": [broken.figures()]})
    assert any(line.startswith(f"VOID: {reason}") for line in shown)


def test_a_run_in_which_nobody_folded_is_marked_void():
    idle = replace(TURN, folded_per_s=0)

    assert compared((idle, BOOK), mode=comparison.ALONGSIDE).void == ["nothing was folded"]


def test_the_generator_counts_a_200_alone_as_acknowledged(tmp_path):
    answers = [b"200 OK", b"503 Service Unavailable"] * 50
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        line, _ = listener.accept()
        with line:
            for answer in answers:
                if not line.recv(65_536):
                    return
                line.sendall(b"HTTP/1.1 " + answer + b"\r\nContent-Length: 2\r\n\r\nok")

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    server = intake.Server(None, port, None, connections=1, most_per_s=100)
    with Stage() as stage, listener:
        answer = intake.Generator(stage, server, 1.0, SigningKey.generate()).go()

    assert answer["statuses"] == {"200": 50, "503": 50}
    assert len(set(answer["acknowledged"])) == 50
    assert answer["cpu_s"] < answer["seconds"]


def test_the_webhooks_are_lives_of_calls_that_the_door_accepts():
    signed = webhooks.lives(9, key=KEY, port=1)

    rows = []
    for webhook in signed:
        head, _, body = webhook.request.partition(b"\r\n\r\n")
        pairs = [line.split(b": ", 1) for line in head.split(b"\r\n")[1:]]
        headers = {name.lower(): value for name, value in pairs}
        at = float(headers[b"telnyx-timestamp"])
        rows.append(door.check(headers.items(), body, now=at))

    assert [row.event_id for row in rows] == [webhook.event_id for webhook in signed]
    assert sorted(row.event_type for row in rows) == sorted(webhooks.LIFE * 3)
    assert len({row.call_leg_id for row in rows}) == 3


def test_a_process_is_charged_for_its_memory_and_its_cpu():
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        assert process.pid in machine.tree(os.getpid())
        assert 0.25 <= machine.cpu_s([process.pid]) < 2
        assert 2_000_000 < machine.pss_bytes(process.pid) < 100_000_000
        process.communicate(b"\n")
    assert machine.pss_bytes(process.pid) == 0


def test_the_stage_ends_its_processes_and_takes_its_folder_away():
    with Stage() as stage:
        words = "import time; print('last words', flush=True); time.sleep(60)"
        process = stage.python("sleeper", "-c", words, environment=stage.environment())
        stage.wait("it speaks", lambda: "last words" in stage.last_words("sleeper"), "sleeper")
        with pytest.raises(Broken, match=r"it wakes: not within 0\.1 s\nlast words"):
            stage.wait("it wakes", lambda: False, "sleeper", within_s=0.1)

    assert process.returncode is not None
    assert not stage.folder.exists()


def test_the_environment_of_a_run_holds_none_of_the_users_settings(monkeypatch):
    monkeypatch.setenv("TELNYX_API_KEY", "KEY-of-a-real-account")
    with Stage() as stage:
        environment = stage.environment()

    assert "TELNYX_API_KEY" not in environment
    assert environment["TAPELINE_DATA"] == str(stage.folder)


def test_clicks_that_did_not_arrive_make_a_run_void():
    expected = {"clicks": 3, "webhooks": 2}
    good = click.figures([4.0, 5.0, 9.0], [30.0, 60.0], expected, 0.2)
    bad = click.figures([4.0, 5.0], [30.0, 60.0], expected, 0.9)

    assert good["void"] == []
    assert good["click_ms"] == {"p50": 5.0, "p95": 9.0}
    assert bad["void"] == [
        "1 of 3 clicks did not arrive",
        "the measuring process used 0.90 of a core",
    ]
    assert click.lines(good | {"calls": 200, "watchers": 50})


def test_memory_is_summed_and_a_process_that_came_or_went_makes_it_void():
    costs = [memory.Cost("web", 10, 70.5, 0.02), memory.Cost("pump", 11, 60.0, 0.03)]

    even = memory.figures(costs, {10, 11}, 5, 0.1)

    assert (even["mb"], even["cores"], even["void"]) == (130.5, 0.05, [])
    assert "mb 130.5, target 700: met" in memory.lines(even)
    assert memory.figures(costs, {10, 12}, 5, 0.1)["void"]


def test_percentiles_and_spreads_are_those_of_the_values():
    values = [float(value) for value in range(1, 101)]

    assert figures.percentile(values, 50) == 51
    assert figures.percentile(values, 99) == 100
    assert figures.percentile([], 99) == 0
    assert figures.spread([4.0, 2.0, 3.0]) == figures.Spread(3.0, 2.0, 4.0)
    assert figures.spread([4.0, 2.0, 3.0]).share == pytest.approx(2 / 3)


def test_a_bench_that_does_not_exist_is_named():
    with pytest.raises(CommandError, match="'intakes' is none of intake, click, board, memory"):
        call_command("bench", "intakes")


def test_libraries_are_named_in_pairs_and_what_misses_is_told():
    with pytest.raises(CommandError, match="--on names 1 databases; name them in pairs"):
        call_command("bench", "library", on=["sqlite:///one.sqlite3"])
    questions = {"all": [[1.0, 0.5, 50, 0.2]] * 3, "agent": [[25.0, 4.0, 50, 0.2]] * 3}
    small = {"size": 10, "classes": {name: [[1.0, 0.5, 50, 0.2]] * 3 for name in questions}}
    told = {"database": "SQLite", "sizes": [small, {"size": 99, "classes": questions}]}
    shown = library.lines({"outcomes": [told]})
    assert [line for line in shown if "MISSED" in line] == [
        "MISSED: agent takes 25.0 ms, the target is 20",
        "MISSED: agent grows 2.00 times, the target is 1.5",
    ]


def test_rows_are_read_past_django(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'some.sqlite3'}")
    database.rows("CREATE TABLE some (name)")
    database.rows("INSERT INTO some VALUES ('one')")

    assert list(database.rows("SELECT name FROM some")) == [("one",)]


@pytest.mark.long
def test_the_board_is_the_same_for_all_under_load_and_after_a_kill():
    sizes = board.Sizes(30, 10, 40, 1.5, kills=1, kill_watchers=4, kill_ends=0)

    measured = board.run(sizes, lambda line: None)

    load, kills = measured["load"], measured["kills"]
    assert load["bytes_per_row"] < board.TARGETS["bytes_per_row"]
    assert load["cpu_share_of_polling"] > 0
    assert 0 < load["rows_told"] <= load["webhooks"] == 60
    assert load["boards"] == {"read": 4, "read_and_same": 4, "heard": 6, "heard_the_same": 6}
    wrong = [kills[name] for name in ("phantom_rows", "lost_rows", "old_rows")]
    assert (wrong, kills["late"]) == ([0, 0, 0], 0)
    said = "\n".join(board.lines(measured))
    assert "bytes on the wire per changed row" in said
    assert "killed 1 times" in said
