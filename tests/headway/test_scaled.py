"""Two web processes, two workers, PostgreSQL and Redis: the same loop, whichever process a part of it meets.

One gateway follows the first console and one the second; neither console knows of the other but through
the database and Redis.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from headway.place import CHECKOUT
from tests.support import services
from tests.support.console import ENVIRONMENT, GUARD, Console, Gateway, Load, Process, set_up, until
from tests.support.postgres import fresh_database
from tests.support.replica import replica

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.redis,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

PREFIX = f"{services.REDIS_PREFIX}{CHECKOUT}:{os.getpid()}:"


class Worker(Process):
    """A Celery worker, or with ``beat`` the process that sends it its sweeps."""

    def start(self, kind: str = "worker") -> None:
        extra = () if kind == "beat" else ("--pool", "threads", "--concurrency", "2")
        schedule = ("--schedule", str(self.log.with_suffix(".schedule"))) if kind == "beat" else ()
        self.spawn("celery", "-A", "headway.celery", kind, "--loglevel", "INFO", *extra, *schedule)


@dataclass(frozen=True)
class Fleet:
    """Everything that runs."""

    consoles: tuple[Console, Console]
    workers: tuple[Worker, Worker]
    gateways: tuple[Gateway, Gateway]

    def in_step(self) -> None:
        """Both gateways run what they should, as either console tells it."""
        for console in self.consoles:
            if console.running:
                console.wait_in_step()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder: Path = tmp_path_factory.mktemp("scaled")
    assert services.REDIS is not None
    started: list[Process] = []
    with replica() as url, fresh_database() as database:
        environment, token = set_up(
            folder, url, DATABASE_URL=database, REDIS_URL=services.REDIS, HEADWAY_REDIS_PREFIX=PREFIX
        )
        consoles = tuple(Console(folder, environment, token, name=f"web-{n}") for n in (1, 2))
        workers = tuple(Worker(f"worker-{n}", folder, environment) for n in (1, 2))
        beat = Worker("beat", folder, environment)
        gateways = tuple(
            Gateway(folder, console.url, f"gw-{n}") for n, console in enumerate(consoles, start=1)
        )
        try:
            for console in consoles:
                started.append(console)
                console.start()
            for worker in workers:
                started.append(worker)
                worker.start()
            started.append(beat)
            beat.start("beat")
            for console, gateway in zip(consoles, gateways, strict=True):
                started.append(gateway)
                gateway.enrol(console)
                gateway.start()
            made = Fleet((consoles[0], consoles[1]), (workers[0], workers[1]), (gateways[0], gateways[1]))
            made.in_step()
            yield made
        finally:
            for process in reversed(started):
                process.stop()
            forget(services.REDIS)


def forget(url: str) -> None:
    """Delete this run's keys, and no other's."""
    with redis.Redis.from_url(url) as server:
        for key in server.scan_iter(f"{PREFIX}*"):
            server.delete(key)


def answers(gateway: Gateway, secret: str, status: int) -> None:
    until(lambda: gateway.chat(secret).status_code == status, f"{status} from {gateway.name}")


def test_an_edit_in_one_console_is_acknowledged_through_both(fleet):
    before = fleet.consoles[0].status()["release"]["version"]
    fleet.consoles[1].limit_requests(5_000)
    for console in fleet.consoles:
        console.wait_in_step(version=before + 1)
        listed = console.get(f"{ENVIRONMENT}/gateways")
        assert [each["state"] for each in listed["items"]] == ["active", "active"], listed


def test_a_key_made_in_one_console_opens_the_other_s_gateway_and_closes_with_it(fleet):
    key = fleet.consoles[0].create_key()
    for gateway in fleet.gateways:
        answers(gateway, key["secret"], 200)
    fleet.consoles[1].revoke_key(key["key_id"])
    for gateway in fleet.gateways:
        answers(gateway, key["secret"], 401)


def test_a_console_that_is_killed_costs_its_gateway_nothing(fleet):
    first, second = fleet.consoles
    key = second.create_key()
    answers(fleet.gateways[0], key["secret"], 200)
    with Load(fleet.gateways[0], key["secret"]) as load:
        load.wait_for(20)
        first.kill()
        load.wait_for(50)
        version = second.limit_requests(6_000) and second.status()["release"]["version"]
        first.start()
        for console in fleet.consoles:
            console.wait_in_step(version=version)
        load.wait_for(20)
    assert set(load.answers) == {200}


def test_what_a_killed_worker_had_begun_is_done_all_the_same(fleet):
    before = fleet.consoles[0].status()["release"]["version"]
    for worker in fleet.workers:
        worker.kill()
    fleet.consoles[0].limit_requests(7_000)
    fleet.workers[1].start()
    fleet.consoles[1].wait_in_step(version=before + 1)
    fleet.workers[0].start()


def test_the_roll_back_of_one_console_is_seen_in_the_other(fleet):
    before = fleet.consoles[0].status()["release"]["version"]
    fleet.consoles[1].roll_back()
    told = fleet.consoles[0].wait_in_step(version=before + 1)
    assert told["release"]["version"] == before + 1


def test_what_a_gateway_saw_is_on_the_screens_of_both_consoles(fleet):
    """The gateway tells one of them; the other's hub reads it from Redis, and shows the same."""
    key = fleet.consoles[0].create_key()
    answers(fleet.gateways[0], key["secret"], 200)
    with Load(fleet.gateways[0], key["secret"]) as load:
        load.wait_for(60)

        def seen(console):
            told = console.get("/api/v1/series?table=fleet.tiers&step=1")
            column = told["metrics"].index("requests")
            tiers = told["values"].values()
            return told, any(cells and (cells[column] or 0) > 0 for tier in tiers for cells in tier)

        for console in fleet.consoles:
            until(lambda: seen(console)[1], f"requests on {console.url}")  # noqa: B023
        load.wait_for(20)

    def same():
        told = [seen(console)[0] for console in fleet.consoles]
        tables = [dict(zip(each["times"], each["values"]["standard"], strict=True)) for each in told]
        shared = sorted(tables[0].keys() & tables[1].keys())[-30:-5]  # both have had all of these
        return len(shared) > 5 and all(tables[0][at] == tables[1][at] for at in shared)

    until(same, "the same points on both")


def test_a_ticket_of_one_console_opens_the_other_s_socket_once(fleet):
    protocols = fleet.consoles[0].post("/api/v1/ws-tickets")["protocols"]
    address = fleet.consoles[1].url.replace("http", "ws") + "/ws/live"
    with connect(address, subprotocols=protocols, open_timeout=GUARD) as socket:
        socket.send('{"op":"hello","v":1}')
        assert '"welcome"' in socket.recv(GUARD)
    with (
        connect(address, subprotocols=protocols, open_timeout=GUARD) as again,
        pytest.raises(ConnectionClosed),
    ):
        again.recv(GUARD)
