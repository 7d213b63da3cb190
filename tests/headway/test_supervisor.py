"""The supervisor: children start, are restarted, end in order and in time, and never outlive it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from headway.up.answers import all_serve, serves
from headway.up.child import BACKOFF_MOST, Spec, backoff
from headway.up.supervisor import STOP_WITHIN, Supervisor
from headway.up.trouble import CannotStart
from tests.support.ports import free_port

HANG = 3 * STOP_WITHIN


def stand_in(name: str, behaviour: str = "serve") -> Spec:
    url = f"http://127.0.0.1:{(port := free_port())}"
    return Spec(
        name=name,
        what=f"the {name}",
        module="tests.headway.stand_in",
        arguments=(str(port), behaviour),
        answers=all_serve([url]),
        address=url,
    )


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(true, what: str) -> None:
    deadline = time.monotonic() + HANG
    while not true():
        assert time.monotonic() < deadline, f"never happened: {what}"
        time.sleep(0.02)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path, said):
    made = Supervisor(tmp_path, say=said.append, stop_within=1.0)
    yield made
    made.stop()


def test_each_child_is_up_when_start_returns_and_gone_when_stop_does(supervisor, said):
    specs = [stand_in("fleet"), stand_in("web")]
    supervisor.start(specs)
    pids = [child.pid for child in supervisor.children]
    assert all(serves(spec.address) for spec in specs)
    assert any("the web answers at http://127.0.0.1:" in line for line in said)
    supervisor.stop()
    assert not any(map(is_alive, pids))


def test_each_child_leads_its_own_session_so_ctrl_c_reaches_the_supervisor_only(supervisor):
    supervisor.start([stand_in("web")])
    pid = supervisor.children[0].pid
    assert os.getsid(pid) == pid != os.getsid(0)


def test_children_end_in_the_reverse_of_their_order(supervisor, monkeypatch):
    supervisor.start([stand_in("simfleet"), stand_in("web"), stand_in("gateway")])
    supervisor.start([stand_in("demo")])
    asked: list[str] = []
    for child in supervisor.children:
        send = type(child).signal

    def recording(child, number):
        if number == signal.SIGTERM:
            asked.append(child.spec.name)
        send(child, number)

    monkeypatch.setattr("headway.up.child.Child.signal", recording)
    supervisor.stop()
    assert asked == ["demo", "gateway", "web", "simfleet"]


def test_a_child_that_ignores_being_asked_is_killed_and_the_others_are_not_kept_waiting(supervisor):
    supervisor.start([stand_in("web"), stand_in("gateway", "stubborn")])
    pids = [child.pid for child in supervisor.children]
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < HANG
    assert not any(map(is_alive, pids))


def test_a_killed_child_is_started_again_and_the_restart_is_on_record(supervisor, tmp_path, said):
    supervisor.start([stand_in("gateway")])
    child = supervisor.children[0]
    first = child.pid
    os.kill(first, signal.SIGKILL)

    def replaced() -> bool:
        supervisor._look_after()
        return child.pid not in (None, first) and serves(child.spec.address)

    wait_until(replaced, "a second process that answers")
    (row,) = json.loads((tmp_path / "processes.json").read_text())["processes"]
    assert (row["pid"], row["restarts"], row["last_exit"]) == (child.pid, 1, -signal.SIGKILL)
    assert any("ended (code -9)" in line for line in said)


def test_a_child_that_cannot_start_stops_the_start_with_its_own_last_words(supervisor):
    with pytest.raises(
        CannotStart, match=r"(?s)the gateway does not start.*gateway\.log.*no model called llama-9"
    ):
        supervisor.start([stand_in("gateway", "broken")])


def test_a_signal_during_the_start_ends_it(supervisor):
    from headway.up.supervisor import StopAsked

    supervisor.stop_asked = True
    with pytest.raises(StopAsked):
        supervisor.start([stand_in("web")])


def test_the_record_of_processes_is_private_and_gone_after_the_stop(supervisor, tmp_path):
    supervisor.start([stand_in("web")])
    record = tmp_path / "processes.json"
    assert record.stat().st_mode & 0o777 == 0o600
    supervisor.stop()
    assert not record.exists()


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.25), (2, 0.5), (3, 1.0), (6, 8.0), (7, 10.0), (60, 10.0)]
)
def test_the_wait_before_a_restart_doubles_up_to_a_bound(failures, seconds):
    assert backoff(failures) == seconds <= BACKOFF_MOST


SUPERVISING = textwrap.dedent("""
    import sys
    from pathlib import Path
    from headway.up.supervisor import Supervisor
    from tests.headway.test_supervisor import stand_in
    supervisor = Supervisor(Path(sys.argv[1]), say=lambda line: None, stop_within=1.0)
    supervisor.catch_signals()
    supervisor.start([stand_in("web"), stand_in("gateway", "stubborn")])
    print(*(child.pid for child in supervisor.children), flush=True)
    supervisor.run()
    supervisor.stop()
""")


@pytest.fixture
def supervising(tmp_path):
    """A supervisor in a process of its own, and the pids of its two children."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISING, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        # As a shell starts a background job: interrupts ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert len(pids) == 2
    yield process, pids
    process.kill()
    process.wait()
    process.stdout.close()
    wait_until(lambda: not any(map(is_alive, pids)), "children gone after the test")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_each_signal_ends_everything_even_in_a_background_job(supervising, number):
    process, pids = supervising
    process.send_signal(number)
    assert process.wait(HANG) == 0
    assert not any(map(is_alive, pids))


def test_children_do_not_outlive_a_supervisor_killed_outright(supervising):
    process, pids = supervising
    process.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "children ended by the broken pipe")
