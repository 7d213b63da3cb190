"""Processes that simulate die in the middle of it: embedded the console, scaled a worker. It is done all the
same, once; and what is cancelled stops, wherever it runs.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
import redis

from headway.place import CHECKOUT
from tests.support import services
from tests.support.console import ENVIRONMENT, Console, Process, set_up, until
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PREFIX = f"{services.REDIS_PREFIX}{CHECKOUT}:{os.getpid()}:simulating:"
PATIENCE = 180
"""Seconds for a worker to start where many others do; only against hanging."""
AWHILE, ENDLESS = 15_000, 10_000_000
"""Requests: a second or three of simulation, and more than any test waits for."""


class Simulator(Process):
    """A worker of the queue of simulations; or with ``beat``, what sends the sweeps and who does them."""

    def start(self, *, beat: bool = False) -> None:
        schedule = str(self.log.with_suffix(".schedule"))
        more = ["--beat", "--schedule", schedule] if beat else ["-Q", "simulations"]
        self.spawn(
            *("celery", "-A", "headway.celery", "worker", "--pool", "threads", "--concurrency", "1"),
            *("--loglevel", "INFO", "-n", f"{self.log.stem}@%h"),
            *more,
        )
        before = self.said.count("ready.")
        for _ in range(PATIENCE):
            if self.said.count("ready.") > before:
                return
            time.sleep(1)
        raise AssertionError(f"a worker that is never ready: {self.said}")


def children_of(process: Process) -> list[int]:
    """Process ids of the simulations that ``process`` runs."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = (entry / "cmdline").read_bytes()
        except (OSError, ValueError):
            continue
        if parent == process.child.pid and b"simulations.child" in command:
            found.append(int(entry.name))
    return found


def gone(pid: int) -> bool:
    """Ended; perhaps not yet taken notice of by whoever adopted it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def begin(console: Console, requests: int) -> str:
    """Upload traffic and have it simulated; where the simulation is."""
    client = {"tenant": "acme", "sessions_per_second": 2, "output_tokens": 20}
    sent = console.api.post(
        f"{ENVIRONMENT}/traces?name={requests}.json",
        content=json.dumps({"requests": requests, "clients": [client]}),
        headers={"content-type": "application/json"},
    )
    assert sent.is_success, sent.text
    made = console.post(f"{ENVIRONMENT}/simulations", policy={"source": "released"}, trace=sent.json()["id"])
    return f"{ENVIRONMENT}/simulations/{made['id']}"


def wait_running(console: Console, place: str) -> None:
    until(lambda: console.get(place)["runs"][0]["arrived"] > 0, "progress")


def wait_done(console: Console, place: str, requests: int) -> None:
    until(lambda: console.get(place)["state"] not in ("queued", "running"), "the end")
    told = console.get(place)
    assert (told["state"], told["error_detail"]) == ("done", "")
    assert told["result"]["requests"] == requests


def cancel(console: Console, place: str) -> None:
    assert console.post(f"{place}/cancel")["state"] == "cancelled"
    refused = console.api.post(f"{place}/cancel")
    assert (refused.status_code, refused.json()["code"]) == (409, "simulation_ended")


def test_embedded_a_killed_console_s_simulation_is_done_by_the_next(tmp_path):
    environment, token = set_up(tmp_path, "http://127.0.0.1:9")
    console = Console(tmp_path, environment, token)
    try:
        console.start()
        place = begin(console, AWHILE)
        child = until(lambda: children_of(console), "a child")[0]
        console.kill()
        until(lambda: gone(child), "the child's end")
        console.start()
        wait_done(console, place, AWHILE)
        place = begin(console, ENDLESS)
        wait_running(console, place)
        [child] = children_of(console)
        cancel(console, place)
        until(lambda: gone(child), "the cancelled child's end")
        place = begin(console, ENDLESS)
        child = until(lambda: children_of(console), "a child")[0]
        console.stop()  # an orderly stop waits for no simulation, and leaves no process
        until(lambda: gone(child), "the child's end")
    finally:
        console.stop()


@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.xdist_group("scaled")
def test_scaled_a_killed_worker_s_run_is_done_by_another(tmp_path):
    assert services.REDIS is not None
    started: list[Process] = []
    with fresh_database() as database:
        environment, token = set_up(
            tmp_path,
            "http://127.0.0.1:9",
            DATABASE_URL=database,
            REDIS_URL=services.REDIS,
            HEADWAY_REDIS_PREFIX=PREFIX,
        )
        console = Console(tmp_path, environment, token)
        beat = Simulator("beat", tmp_path, environment)
        workers = [Simulator(f"simulator-{n}", tmp_path, environment) for n in (1, 2)]
        try:
            started += [console, beat, *workers]
            console.start()
            beat.start(beat=True)
            for worker in workers:
                worker.start()
            place = begin(console, AWHILE)
            busy = until(lambda: [each for each in workers if children_of(each)], "a worker's child")[0]
            child = children_of(busy)[0]
            busy.kill()
            until(lambda: gone(child), "the child's end")
            wait_done(console, place, AWHILE)
            busy.start()

            place = begin(console, ENDLESS)
            wait_running(console, place)
            found = [child for each in workers for child in children_of(each)]
            assert len(found) == 1
            cancel(console, place)
            until(lambda: gone(found[0]), "the cancelled child's end")

            values = [1.0, 1.5, 2.0, 2.5, 3.0]
            swept = console.post(
                f"{ENVIRONMENT}/simulations",
                policy={"source": "current"},
                example="quickstart",
                mix=[{"tenant": "acme"}],
                sweep={"knob": "speed", "values": values},
            )
            place = f"{ENVIRONMENT}/simulations/{swept['id']}"
            until(lambda: console.get(place)["state"] == "done", "every point of the sweep")
            told = console.get(place)
            assert [each["value"] for each in told["result"]["tried"]] == values
            done = sum(worker.said.count("Task simulations.run") for worker in workers)
            assert done >= len(values)
        finally:
            for process in reversed(started):
                process.stop()
            with redis.Redis.from_url(services.REDIS) as server:
                for key in server.scan_iter(f"{PREFIX}*"):
                    server.delete(key)
