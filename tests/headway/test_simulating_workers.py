"""Two workers on PostgreSQL and Redis: one is killed in the middle of a simulation, the other does it."""

from __future__ import annotations

import os
import time

import pytest
import redis

from headway.place import CHECKOUT
from tests.headway.test_simulating import (
    AWHILE,
    ENDLESS,
    PATIENCE,
    begin,
    cancel,
    children_of,
    eventually,
    gone,
    wait_done,
    wait_running,
)
from tests.support import services
from tests.support.console import Console, Process, set_up
from tests.support.postgres import fresh_database

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

PREFIX = f"{services.REDIS_PREFIX}{CHECKOUT}:{os.getpid()}:simulating:"


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
            busy = eventually(lambda: [each for each in workers if children_of(each)], "a worker's child")[0]
            child = children_of(busy)[0]
            busy.kill()
            eventually(lambda: gone(child), "the child's end")
            wait_done(console, place, AWHILE)
            busy.start()

            place = begin(console, ENDLESS)
            wait_running(console, place)
            found = [child for each in workers for child in children_of(each)]
            assert len(found) == 1
            cancel(console, place)
            eventually(lambda: gone(found[0]), "the cancelled child's end")
        finally:
            for process in reversed(started):
                process.stop()
            with redis.Redis.from_url(services.REDIS) as server:
                for key in server.scan_iter(f"{PREFIX}*"):
                    server.delete(key)
