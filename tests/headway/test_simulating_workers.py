"""Two workers on PostgreSQL and Redis: one is killed in the middle of a simulation, the other does it."""

from __future__ import annotations

import os

import psycopg
import pytest
import redis

from headway.place import CHECKOUT
from tests.headway.test_simulating import (
    AWHILE,
    ENDLESS,
    SILENT,
    begin,
    cancel,
    children_of,
    eventually,
    gone,
    wait_done,
    wait_running,
)
from tests.simulations.conftest import calibrated
from tests.support import services
from tests.support.console import ENVIRONMENT, Console, Process, set_up
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PREFIX = f"{services.REDIS_PREFIX}{CHECKOUT}:{os.getpid()}:simulating:"


class Simulator(Process):
    """A worker of the queue of simulations; with ``beat``, one that also sends the sweeps and does them."""

    def start(self, *, beat: bool = False) -> None:
        schedule = str(self.log.with_suffix(".schedule"))
        more = (
            ["--beat", "--schedule", schedule, "-Q", "celery,simulations"] if beat else ["-Q", "simulations"]
        )
        self.spawn(
            *("celery", "-A", "headway.celery", "worker", "--pool", "threads", "--concurrency", "2"),
            *("--loglevel", "INFO", "-n", f"{self.log.stem}@%h"),
            *more,
        )
        eventually(lambda: "ready." in self.said, f"a worker that is ready: {self.said}")


@pytest.fixture
def scaled(tmp_path):
    """(database, console, a worker that runs, one that does not yet)."""
    assert services.REDIS is not None
    with fresh_database() as database:
        environment, token = set_up(
            tmp_path,
            "http://127.0.0.1:9",
            DATABASE_URL=database,
            REDIS_URL=services.REDIS,
            HEADWAY_REDIS_PREFIX=PREFIX,
        )
        console = Console(tmp_path, environment, token)
        first = Simulator("first", tmp_path, environment)
        other = Simulator("other", tmp_path, environment)
        try:
            console.start()
            first.start()
            yield database, console, first, other
        finally:
            for process in (other, first, console):
                process.stop()
            with redis.Redis.from_url(services.REDIS) as server:
                for key in server.scan_iter(f"{PREFIX}*"):
                    server.delete(key)


@pytest.mark.postgres
@pytest.mark.redis
def test_scaled_a_killed_worker_s_run_is_done_by_another(scaled):
    database, console, first, other = scaled
    place = begin(console, AWHILE)
    child = eventually(lambda: children_of(first), "the worker's child")[0]
    first.kill()
    eventually(lambda: gone(child), "the child's end")
    with psycopg.connect(database) as direct:
        assert direct.execute(SILENT).rowcount == 1
    other.start(beat=True)  # told of the run by the sweep alone: its message went with the first
    wait_done(console, place, AWHILE)

    place = begin(console, ENDLESS)
    wait_running(console, place)
    [child] = children_of(other)
    cancel(console, place)
    eventually(lambda: gone(child), "the cancelled child's end")


@pytest.mark.postgres
@pytest.mark.redis
def test_scaled_every_point_of_a_sweep_is_made_of_the_profile_that_was_chosen(scaled):
    database, console, _, other = scaled
    other.start()
    sent = console.api.post(
        f"{ENVIRONMENT}/profiles", content=calibrated(), headers={"content-type": "application/json"}
    )
    assert sent.is_success, sent.text
    kept = sent.json()
    made = console.post(
        f"{ENVIRONMENT}/simulations",
        policy={"source": "released"},
        example="quickstart",
        mix=[{"tenant": "acme"}],
        profiles=[{"profile": kept["id"], "pool": "chat"}],
        sweep={"knob": "speed", "values": [1, 2, 3, 4]},
    )
    place = f"{ENVIRONMENT}/simulations/{made['id']}"
    eventually(lambda: console.get(place)["state"] not in ("queued", "running"), "the end")
    told = console.get(place)
    assert (told["state"], told["error_detail"]) == ("done", "")
    assert [each["value"] for each in told["result"]["tried"]] == [1, 2, 3, 4]
    with psycopg.connect(database) as direct:
        rows = direct.execute("SELECT report->'inputs'->'profiles' FROM simulations_run").fetchall()
    assert rows == [({"chat": kept["digest"]},)] * 4
