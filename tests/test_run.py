"""`make run`: one command starts everything, one signal ends it, and nothing stays behind."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis
import requests
from django.contrib.auth.models import User

from dashboard import broker, demo, folder, launch, processes
from dashboard.ports import BadPort, Ports
from dashboard.processes import Crew, Fell, Service
from tests.ready import prepare

ROOT = Path(__file__).resolve().parent.parent
IS_LINUX = sys.platform == "linux"


def until(condition, within_s=5.0):
    """Wait for a condition; return what it returned last."""
    deadline = time.monotonic() + within_s
    while not (answer := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return answer


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


def shell(name, script, **more):
    return Service(name, ["sh", "-c", script], dict(os.environ), **more)


@pytest.fixture
def said():
    return []


@pytest.fixture
def crew(said, monkeypatch):
    monkeypatch.setattr(processes, "FIRST_WAIT_S", 0.05)
    crew = Crew(said.append)
    yield crew
    crew.stop(list(crew.processes), within_s=0.1)


def tend_until(crew, condition, within_s=5.0):
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        crew.tend(0.02)
    assert condition()


# Processes


def test_a_fallen_process_starts_again_and_a_line_says_so(crew, said, tmp_path):
    crew.is_settled = True
    crew.start([shell("web", f"echo life >> {tmp_path}/lives; exit 3", is_vital=True)])
    tend_until(crew, lambda: (tmp_path / "lives").exists())
    tend_until(crew, lambda: (tmp_path / "lives").read_text().count("life") >= 2)
    assert re.match(r"web ended with code 3 after 0 s; starting it again in", said[0])


def test_each_fall_doubles_the_wait_up_to_half_a_minute():
    waits = [processes.wait_after(falls) for falls in (1, 2, 3, 6, 7, 5000)]
    assert waits == [1, 2, 4, 32, 32, 32]


def test_a_vital_process_that_falls_at_the_start_ends_the_run_and_says_why(crew, said):
    crew.start([shell("web", "echo there is no module named desk; exit 1", is_vital=True)])
    with pytest.raises(Fell, match="web ended with code 1"):
        tend_until(crew, lambda: False)
    assert said == ["web | there is no module named desk"]


def test_lines_carry_the_name_and_chatter_stays_unsaid(crew, said):
    lines = (
        "2026-11-23 06:54:00,123 INFO calls Everything is fine",
        "2026-11-23 06:54:00,124 WARNING calls A doubt",
        "a trace",
    )
    crew.start([shell("pump", "; ".join(f"echo '{line}'" for line in lines) + "; exec sleep 60")])
    tend_until(crew, lambda: len(said) >= 2)
    assert said == [f"pump | {line}" for line in lines[1:]]


def test_a_mute_process_is_heard_only_when_it_falls(crew, said):
    crew.start([shell("broker", "echo out of memory; exit 1", is_mute=True)])
    tend_until(crew, lambda: said)
    assert said[0] == "out of memory"


@pytest.mark.skipif(not IS_LINUX, reason="looks into /proc")
def test_a_stop_ends_what_will_not_listen_and_its_children(crew, tmp_path):
    script = f"trap '' TERM; sleep 60 & echo $$ $! > {tmp_path}/pids; while :; do sleep 1; done"
    crew.start([shell("deaf", script)])
    tend_until(crew, lambda: (tmp_path / "pids").exists() and (tmp_path / "pids").read_text())
    pids = (tmp_path / "pids").read_text().split()
    started = time.monotonic()
    crew.stop(["deaf"], within_s=0.3)
    assert time.monotonic() - started < 1
    assert until(lambda: not any(map(is_alive, pids)))


@pytest.mark.skipif(not IS_LINUX, reason="only Linux tells a process that its parent died")
def test_processes_end_when_their_launcher_is_killed(tmp_path):
    program = """
import os, sys
from dashboard.processes import Crew, Service
crew = Crew(print)
crew.start([Service("sleeper", ["sleep", "60"], dict(os.environ))])
print(crew.processes["sleeper"].popen.pid, flush=True)
while True: crew.tend()
"""
    launcher = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    sleeper = launcher.stdout.readline().strip()
    assert is_alive(sleeper)
    launcher.kill()
    launcher.wait()
    assert until(lambda: not is_alive(sleeper))


# The data folder


def test_a_second_run_is_told_who_holds_the_folder_and_where(tmp_path):
    (tmp_path / "run.json").write_text('{"web": "http://127.0.0.1:8123"}')
    with folder.hold(tmp_path), pytest.raises(folder.Taken) as refusal:
        folder.hold(tmp_path)
    assert f"process {os.getpid()}, which answers at http://127.0.0.1:8123" in str(refusal.value)


def test_a_run_waits_for_the_processes_that_a_killed_launcher_left(tmp_path):
    lock = (tmp_path / "run.lock").open("a+")
    lock.write("999999999")  # no such process
    lock.flush()
    keep = "import fcntl, time; fcntl.flock(0, fcntl.LOCK_EX); print(flush=True); time.sleep(1)"
    left = subprocess.Popen([sys.executable, "-c", keep], stdin=lock, stdout=subprocess.PIPE)
    lock.close()
    left.stdout.readline()
    started = time.monotonic()
    folder.hold(tmp_path).close()
    assert time.monotonic() - started > 0.5
    left.wait()


def test_a_secret_is_made_once_and_for_the_owner_alone(tmp_path):
    key = folder.secret_key(tmp_path)
    assert len(key) >= 50
    assert folder.secret_key(tmp_path) == key
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600


def test_the_notes_of_a_run_go_with_it(tmp_path):
    people = [{"username": "sam", "password": "x", "role": "supervisor"}]
    folder.tell(tmp_path, {"web": "http://127.0.0.1:8000"}, people)
    assert json.loads((tmp_path / "run.json").read_text()) == {"web": "http://127.0.0.1:8000"}
    assert json.loads((tmp_path / "demo-people.json").read_text()) == people
    assert stat.S_IMODE((tmp_path / "demo-people.json").stat().st_mode) == 0o600
    folder.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_settings_that_the_launcher_made_are_lent_to_commands_while_it_runs(tmp_path):
    folder.lend(tmp_path, {"SECRET_KEY": "made here"})
    assert folder.lent(tmp_path) == {"SECRET_KEY": "made here"}
    assert stat.S_IMODE((tmp_path / "environment.json").stat().st_mode) == 0o600

    folder.clear(tmp_path)

    assert folder.lent(tmp_path) == {}


# Demo and account


@pytest.fixture
def desk(settings, tmp_path, said, db):
    """Make the desk of a run in a folder of its own."""
    settings.DATA_DIR = tmp_path

    def desk(api_key):
        settings.TELNYX_API_KEY = api_key
        return launch.Desk(Crew(said.append), said.append)

    return desk


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [("", "KEY1", "holds the invented calls"), ("KEY1", "", "holds the calls of a real account")],
)
def test_invented_and_real_calls_never_share_a_folder(desk, first, second, reason):
    desk(first).check()
    desk(first).check()
    with pytest.raises(launch.Refused, match=reason):
        desk(second).check()


def test_the_demo_does_not_move_into_a_database_with_people_of_its_own(desk, olga, tmp_path):
    User.objects.create_user("paula")
    with pytest.raises(launch.Refused, match="already has people of its own"):
        desk("").check()
    assert folder.purpose(tmp_path) is None


def test_a_key_that_is_none_is_refused_before_anything_starts(desk, settings):
    settings.TELNYX_PUBLIC_KEYS = "not a key"
    with pytest.raises(launch.Refused, match="TELNYX_PUBLIC_KEYS"):
        desk("").check()


def test_the_people_of_the_demo_keep_their_roles_and_passwords(db, tmp_path):
    first = demo.people(tmp_path / "people.json")
    sam = User.objects.get(username="sam")
    sam.set_password("something else")
    sam.save()
    assert demo.people(tmp_path / "people.json") == first
    assert [person["role"] for person in first] == ["supervisor", "reviewer", "operator"]
    for person in first:
        user = User.objects.get(username=person["username"])
        assert user.check_password(person["password"])
        assert [group.name for group in user.groups.all()] == [person["role"]]
        assert user.is_staff is (person["role"] == "operator")
        assert not user.is_superuser


def test_the_demo_trusts_the_simulator_beside_the_given_keys(settings, tmp_path):
    settings.TELNYX_PUBLIC_KEYS = "given"
    key = demo.signing_key(tmp_path / "signing.key")
    told = demo.environment("http://127.0.0.1:8801", key, "demo-key")
    assert told["TELNYX_PUBLIC_KEYS"].startswith("given,")
    assert told["TELNYX_BASE_URL"] == "http://127.0.0.1:8801/v2"
    assert demo.signing_key(tmp_path / "signing.key") == key


# Ports and broker


def test_a_busy_port_is_passed_over_also_when_it_was_asked_for():
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert Ports().first_free(port) != port
        assert Ports().named(str(port)) != port


@pytest.mark.skipif(not IS_LINUX, reason="a claim without a file needs Linux")
def test_a_port_that_another_run_has_chosen_is_passed_over_before_it_is_used():
    first, second = Ports(), Ports()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert first.named(str(port)) == port
    assert second.first_free(port) != port


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1"])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(BadPort, match=f"PORT is '{port}'"):
        Ports().named(port)


def test_a_long_data_folder_puts_the_socket_where_it_fits(tmp_path):
    deep = tmp_path / ("deep" * 30)
    path = broker.socket_path(deep)
    assert len(str(path)) < broker.LONGEST_PATH
    path.parent.rmdir()


def test_the_private_broker_answers_in_a_folder_with_a_space(crew, tmp_path):
    data = tmp_path / "my desk"
    data.mkdir()
    path, server = broker.socket_path(data), broker.find_server()
    if server is None:
        pytest.skip("no valkey-server or redis-server, and no wheel with one")
    crew.start([Service("broker", broker.command(server, path, data), dict(os.environ))])
    tend_until(crew, lambda: broker.answers(path))
    assert redis.Redis.from_url(broker.url(path)).ping()
    assert stat.S_IMODE(path.stat().st_mode) == 0o700


# The whole


def processes_of(data):
    """Return the processes of a run: all are told its folder, the broker by its command line."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            told = (entry / "environ").read_bytes() + (entry / "cmdline").read_bytes()
        except OSError:
            continue
        if str(data).encode() in told and is_alive(entry.name):
            found.append(int(entry.name))
    return found


@pytest.fixture
def start(tmp_path):
    """Start a quiet demo in a folder of its own."""
    started = []

    def start():
        told = {"TAPELINE_DATA": str(tmp_path / "data"), "SIMULATOR_QUIET": "1"}
        started.append(
            subprocess.Popen(
                [sys.executable, "manage.py", "run"],
                cwd=ROOT,
                env={"PATH": os.environ["PATH"]} | told,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )
        return started[-1]

    yield start
    for launcher in started:
        launcher.kill()
        launcher.wait()


def wait_for_run(launcher, data):
    notes = data / "run.json"
    assert until(lambda: notes.exists() or launcher.poll() is not None, 60)
    assert notes.exists(), launcher.stdout.read()
    return json.loads(notes.read_text())


@pytest.mark.skipif(not IS_LINUX, reason="looks into /proc")
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="a run needs no second database")
def test_a_run_answers_refuses_a_second_one_and_ends_without_a_trace(start, tmp_path):
    data = tmp_path / "data"
    launcher = start()
    addresses = wait_for_run(launcher, data)
    assert requests.get(f"{addresses['web']}/healthz", timeout=5).status_code == 200
    assert requests.get(f"{addresses['simulator']}/_simulator/key", timeout=5).ok
    assert len(processes_of(data)) >= 8  # launcher, broker, web twice, pump, 2 workers, simulator

    second = start()
    assert second.wait(20) == 1
    assert f"process {launcher.pid}, which answers at {addresses['web']}" in second.stdout.read()

    launcher.send_signal(signal.SIGTERM)
    assert launcher.wait(30) == 0  # a machine busy with other tests takes its time
    assert launch.STOP_WITHIN_S + launch.BROKER_STOPS_WITHIN_S < 5
    assert processes_of(data) == []
    assert not (data / "run.json").exists()
    assert not (data / "demo-people.json").exists()
    printed = launcher.stdout.read()
    assert addresses["web"] in printed
    assert "sam" in printed
    assert "Ctrl-C" in printed
    assert "Traceback" not in printed


@pytest.mark.skipif(not IS_LINUX, reason="only Linux tells a process that its parent died")
@pytest.mark.skipif("DATABASE_URL" in os.environ, reason="a run needs no second database")
def test_a_killed_launcher_leaves_no_orphan_and_the_next_start_works(start, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    prepare(data)
    launcher = start()
    wait_for_run(launcher, data)
    launcher.kill()
    launcher.wait()
    assert until(lambda: not processes_of(data), 8)

    wait_for_run(start(), data)
