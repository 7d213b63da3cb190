"""What is promised when replicas lie, hang or swallow, when clients flood, and when the clock jumps?

Each test says in its name what is expected. Replicas that die, answer 500 or cut an answer short are in
``test_failures``, heads and bodies that never end in ``test_client_connection``.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import random
import socket
import time
from contextlib import ExitStack

import pytest
from msgspec.structs import replace

import gateway.upstream.pool as pools
from coordination.bundle.apikeys import MINT_BYTES, mint
from coordination.bundle.directory import new_entry, read_directory
from coordination.program.records import Placement, ProgramRecords
from coordination.scheduling.values import Usage
from gateway import data_plane
from gateway.downstream.request import HttpRequest
from gateway.process import GatewayProcess
from gateway.usage import is_possible
from tests.gateway import policy
from tests.gateway import upstream as up
from tests.gateway.policy import SECOND
from tests.gateway.raw_client import until
from tests.gateway.running import admin, error_code, explanation, gateway, post
from tests.gateway.upstream import answer, replicas


async def test_a_black_hole_is_given_up_on_and_another_replica_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(pools, "CONNECT_SECONDS", 0.2)
    with ExitStack() as filled:
        hole = filled.enter_context(socket.socket())
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        for _ in range(4):  # a full backlog: further SYNs are dropped
            waiting = filled.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(hole.getsockname())
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        async with replicas() as (good,), gateway(tmp_path, [url, good.url]) as gw:
            answers = await asyncio.gather(post(gw), post(gw))
            assert [one.status for one in answers] == [200, 200]
            told = [await explanation(gw, one) for one in answers]
            assert sorted(len(one["attempts"]) for one in told) == [1, 2]


def balanced(records: ProgramRecords) -> ProgramRecords:
    placement = Placement(strategy="balanced", release_after=SECOND // 10)
    return replace(records, routes=tuple(replace(route, placement=placement) for route in records.routes))


async def test_a_slow_replica_holds_only_what_it_was_given(tmp_path):
    release = asyncio.Event()

    async def slow(call):
        await release.wait()
        await answer(call)

    async with (
        replicas(2) as (one, two),
        gateway(tmp_path, [one.url, two.url], sequences=2, change=balanced) as gw,
    ):
        one.script = slow
        asking = [asyncio.ensure_future(post(gw)) for _ in range(12)]
        await until(lambda: sum(each.done() for each in asking) == 10)
        assert (len(one.calls), len(two.calls)) == (2, 10)
        release.set()
        assert [(await each).status for each in asking] == [200] * 12


async def test_a_stream_that_just_closes_before_it_is_done_is_an_error_and_not_an_end(tmp_path):
    async def until_eof(call):
        await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n" + up.event("one "))
        await asyncio.sleep(0.02)
        if call.body.get("seed"):
            await call.raw(up.DONE)
        call.writer.close()

    async with replicas(script=until_eof) as (one,), gateway(tmp_path, [one.url]) as gw:
        cut, whole = await post(gw, stream=True), await post(gw, stream=True, seed=1)
        assert b'"code":"upstream_failed"' in cut.body
        assert (await explanation(gw, cut))["outcome"] == "aborted"
        assert whole.body.endswith(up.DONE)
        assert (await explanation(gw, whole))["outcome"] == "completed"


async def test_events_that_make_no_sense_pass_as_they_are_and_are_paid_by_our_count(tmp_path):
    nonsense = b"dat: {\n\nevent\n\n\n\ndata: {not json}\n\n:\n\ndata: \xff\xfe\n\n"

    async def script(call):
        await call.begin_stream()
        await call.chunk(nonsense)
        await call.end_stream()

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, stream=True)
        assert got.body == nonsense
        told = await explanation(gw, got)
        assert told["outcome"] == "completed"
        held = told["decision"]["hold"]
        assert told["charge"]["tokens"]["uncached_input"] == held["uncached_input"]


async def test_without_usage_a_stream_is_paid_by_the_events_that_carried_text(tmp_path):
    async def script(call):
        await call.begin_stream()
        await call.chunk(up.event("one ") + up.event("two ") + up.DONE)
        await call.end_stream()

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url]) as gw:
        told = await explanation(gw, await post(gw, stream=True))
        assert told["charge"]["tokens"]["output"] == 2


LIES = [
    {"prompt_tokens": 10**15, "completion_tokens": 3},
    {"prompt_tokens": 11, "completion_tokens": 10**9},
    {"prompt_tokens": -1, "completion_tokens": 3},
    {"prompt_tokens": "11", "completion_tokens": 3},
]


@pytest.mark.parametrize("lie", [*LIES, {"prompt_tokens": 11, "completion_tokens": 0}])
async def test_usage_that_cannot_be_is_not_believed_in_a_stream(tmp_path, lie):
    async def script(call):
        await call.begin_stream()
        await call.chunk(up.event("one ") + up.event("two ") + up.event(choices=[], usage=lie) + up.DONE)
        await call.end_stream()

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url]) as gw:
        told = await explanation(gw, await post(gw, stream=True))
        assert told["charge"]["tokens"]["output"] == 2
        assert told["charge"]["tokens"]["uncached_input"] == told["decision"]["hold"]["uncached_input"]


@pytest.mark.parametrize("lie", LIES)
async def test_usage_that_cannot_be_is_not_believed_in_a_whole_answer(tmp_path, lie):
    body = json.dumps({"choices": [], "usage": lie}).encode()
    async with replicas(script=lambda call: call.whole(body)) as (one,), gateway(tmp_path, [one.url]) as gw:
        told = await explanation(gw, await post(gw))
        assert told["charge"]["tokens"]["uncached_input"] == told["decision"]["hold"]["uncached_input"]
        assert told["charge"]["tokens"]["output"] == 0
        read = json.dumps(lie).count("-1") + json.dumps(lie).count('"11"') == 0
        assert f"headway_usage_disbelieved_total {int(read)}\n" in await admin(gw, "/metrics")


def test_usage_is_possible_up_to_twice_a_context_and_down_to_half_the_events():
    assert is_possible(Usage(100, 50, 50), 100, 100)
    assert not is_possible(Usage(100, 51, 50), 0, 100)
    assert not is_possible(Usage(1, 0, 49), 100, 1000)


async def test_a_burst_of_ten_times_what_fits_is_served_in_turn_and_never_more_at_once(tmp_path):
    running = most = 0

    async def script(call):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.002)
        running -= 1
        await answer(call)

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url], sequences=4) as gw:
        answers = await asyncio.gather(*(post(gw, stream=n % 2 == 0) for n in range(40)))
        assert [one.status for one in answers] == [200] * 40
        assert 1 < most <= 4
        assert gw.coordinator.queue_depths().total() == 0
        assert not gw.plane.live


async def test_beyond_what_may_wait_a_burst_is_refused_with_a_code_and_a_time(tmp_path):
    release = asyncio.Event()

    async def slow(call):
        await release.wait()
        await answer(call)

    async with replicas(script=slow) as (one,), gateway(tmp_path, [one.url], sequences=1) as gw:
        asking = [asyncio.ensure_future(post(gw)) for _ in range(80)]
        await until(lambda: sum(each.done() for each in asking) == 15)  # one runs, 64 wait
        release.set()
        answers = await asyncio.gather(*asking)
        refused = [one for one in answers if one.status != 200]
        assert {(one.status, error_code(one)) for one in refused} == {(503, "capacity_exceeded")}
        assert all(int(one.headers["retry-after-ms"]) > 0 for one in refused)
        assert len(answers) - len(refused) == 65


def with_a_large_context(records: ProgramRecords) -> ProgramRecords:
    return replace(
        records, models=tuple(replace(model, context_window=1_000_000) for model in records.models)
    )


async def test_a_prompt_of_a_megabyte_arrives_whole_or_is_too_long_for_its_model(tmp_path):
    words = "word " * 210_000
    messages = [{"role": "user", "content": words}]
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, messages=messages)
        assert (got.status, error_code(got)) == (400, "context_length_exceeded")
        assert not one.calls
    large = tmp_path / "large"
    large.mkdir()
    async with replicas() as (one,), gateway(large, [one.url], change=with_a_large_context) as gw:
        assert (await post(gw, messages=messages, stream=True)).status == 200
        assert one.calls[0].body["messages"] == messages


async def connected(gw: GatewayProcess, least: int) -> None:
    await until(lambda: len(gw.data.connections) >= least)


async def test_two_thousand_idle_connections_cost_little_and_hold_nobody_up(tmp_path):
    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        await post(gw)
        before = resident()
        with ExitStack() as opened:
            for count in range(1, 2001):
                client = opened.enter_context(socket.create_connection(("127.0.0.1", gw.data.port)))
                client.setblocking(False)
                if count % 100 == 0:
                    await connected(gw, count)
            assert (resident() - before) / 2000 < 16 * 1024
            assert (await post(gw)).status == 200
        await until(lambda: len(gw.data.connections) == 0)


async def test_of_a_hundred_thousand_keys_each_is_known_and_few_are_remembered(tmp_path, monkeypatch):
    seeded = random.Random(1)
    minted = [mint(seeded.randbytes(MINT_BYTES)) for _ in range(300)]
    entries = {key.key_id: new_entry(key.secret, tenant="acme", scopes=("inference",)) for key in minted}
    strange = new_entry(mint(seeded.randbytes(MINT_BYTES)).secret, tenant="acme", scopes=("inference",))
    letters = str.maketrans("0123456789", "abcdefghij")
    entries |= {f"{number:010d}".translate(letters): strange for number in range(100_000)}
    monkeypatch.setattr(data_plane, "REMEMBERED_KEYS", 100)
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        loaded = read_directory(replace(gw.active.directory, keys=entries).to_json())
        gw.coordinator.active = dataclasses.replace(gw.active, directory=loaded)

        def refused(secret: str) -> bool:
            request = HttpRequest("POST", b"/v1/embeddings", {b"authorization": f"Bearer {secret}".encode()})
            return gw.plane.vet(request) is not None

        assert not any(refused(key.secret) for key in minted)
        assert len(gw.plane._known_keys) <= 100
        assert refused(policy.secret("acme"))


async def test_a_wall_clock_that_jumps_changes_no_deadline_and_no_limit(tmp_path, monkeypatch):
    async with replicas() as (one,), gateway(tmp_path, [one.url], first_byte=5 * SECOND) as gw:
        assert (await post(gw, key="tight")).status == 200
        real = time.time_ns
        for hours in (25, -25):
            monkeypatch.setattr(time, "time_ns", lambda hours=hours: real() + hours * 3600 * 10**9)
            monkeypatch.setattr(time, "time", lambda: time.time_ns() / 10**9)
            got = await post(gw, stream=True)
            told = await explanation(gw, got)
            assert got.body.endswith(up.DONE)
            assert 0 <= told["timings_us"]["finished"] < 5 * SECOND
            limited = await post(gw, key="tight")
            assert (limited.status, error_code(limited)) == (429, "rate_limit_exceeded")
