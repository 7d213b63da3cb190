"""Workers that are processes: do they die with their gateway, and does it outlive them?"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from contextlib import asynccontextmanager

import pytest

from tests.gateway import policy
from tests.gateway.console import Console
from tests.gateway.raw_client import Answer, RawClient, until
from tests.gateway.running import chat_body, chat_request, gateway, write_state
from tests.gateway.test_process import start
from tests.gateway.upstream import replicas

pytestmark = pytest.mark.slow


def alive(pid):
    """Running, and not only waiting for its parent to look."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


async def test_a_worker_killed_under_load_takes_no_usage_with_it_and_nothing_stays_held(tmp_path):
    console = Console()
    answered: list[Answer] = []
    cut = 0
    stopping = asyncio.Event()

    async def keep_asking(port):
        nonlocal cut
        while not stopping.is_set():
            try:
                client = await RawClient.to(port)
                while not stopping.is_set():
                    await client.send(chat_request(chat_body(stream=len(answered) % 2 == 0)))
                    answered.append(await client.answer())
            except (asyncio.IncompleteReadError, ConnectionError):
                cut += 1

    async with (
        replicas(2) as (one, two),
        gateway(
            tmp_path,
            [one.url, two.url],
            own=tmp_path / "own",
            post=console,
            options={"workers": 2},
        ) as gw,
    ):
        asking = [asyncio.create_task(keep_asking(gw.front.port)) for _ in range(8)]

        async def sixty_more():
            upto = len(answered) + 60
            await until(lambda: len(answered) > upto)

        async def kill(number, restarts):
            os.kill(gw.workers.states()[number]["pid"], signal.SIGKILL)
            await until(lambda: gw.workers.restarts == restarts)

        await sixty_more()
        await kill(0, restarts=1)
        await sixty_more()
        await kill(1, restarts=2)
        await sixty_more()
        stopping.set()
        await asyncio.gather(*asking)
        await until(lambda: gw.workers.in_flight == 0)
        assert not gw.coordinator.queue_depths()
        assert not any(place.running for place in gw.coordinator.standing("chat-a"))
        assert cut > 0
    assert {answer.status for answer in answered} == {200}
    told = Counter((event.request_id, event.attempt) for event in console.events)
    assert set(told.values()) == {1}
    by_request = {event.request_id: event for event in console.events if event.kind == "settled"}
    for answer in answered:
        event = by_request[answer.headers["x-request-id"]]
        assert (event.outcome, event.counted_by, event.output) == ("completed", "engine", 3)
    assert len(one.calls) + len(two.calls) <= len(told)


async def test_a_worker_that_hangs_is_ended_and_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.workers.crew.LEASE_SECONDS", 1.5)
    async with replicas() as (one,), gateway(tmp_path, [one.url], options={"workers": 2}) as gw:
        hung = gw.workers.states()[0]["pid"]
        os.kill(hung, signal.SIGSTOP)
        await until(lambda: gw.workers.restarts == 1)
        assert not alive(hung)
        assert all(state["serving"] for state in gw.workers.states())


@asynccontextmanager
async def started(tmp_path):
    """``headway gateway --workers 2``, its ports and its workers."""
    async with replicas() as (one,):
        write_state(tmp_path / "s", policy.state_files(policy.bundle(policy.records([one.url]))))
        ready = tmp_path / "ready.json"
        ports = ("--port", 0, "--admin-port", 0, "--ready-file", ready, "--workers", 2)
        process = await start("--state", tmp_path / "s", *ports, "--drain-seconds", 1)
        assert process.stdout is not None
        await asyncio.wait_for(process.stdout.readline(), 60)
        facts = json.loads(ready.read_text())
        client = await RawClient.to(facts["admin_port"])
        await client.send(b"GET /readyz HTTP/1.1\r\nhost: a\r\n\r\n")
        states = json.loads((await client.answer()).body)["workers"]
        client.close()
        yield process, facts["port"], [state["pid"] for state in states], one
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_workers_serve_on_one_port_and_a_signal_ends_them_all(tmp_path):
    async with started(tmp_path) as (process, port, pids, one):
        assert len({process.pid, *pids}) == 3
        for _ in range(4):
            client = await RawClient.to(port)
            await client.send(chat_request(chat_body()))
            assert (await client.answer()).status == 200
        assert len(one.calls) == 4
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0
        assert not any(alive(pid) for pid in pids)
        with pytest.raises(OSError, match="Connect"):
            await RawClient.to(port)


async def test_a_killed_gateway_takes_its_workers_with_it(tmp_path):
    async with started(tmp_path) as (process, port, pids, _):
        process.kill()
        await until(lambda: not any(alive(pid) for pid in pids))
        with pytest.raises(OSError, match="Connect"):
            await RawClient.to(port)
