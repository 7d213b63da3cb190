"""Are replicas of any engine watched, set aside when they fail, and let in again when they mend?"""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from coordination.program.records import MILLION, ProgramRecords
from gateway.identifiers import as_uuid
from gateway.process import GatewayProcess
from tests.gateway.policy import SECOND
from tests.gateway.raw_client import until
from tests.gateway.running import admin, gateway, post
from tests.gateway.test_failures import fail_500
from tests.gateway.upstream import answer, replicas

PAGES = Path(__file__).parent.parent / "coordination" / "engines" / "pages"
LISTED = {
    "object": "list",
    "data": [{"id": "llama-3-8b", "parent": None}, {"id": "sql", "parent": "llama-3-8b"}],
}
MODELS = (200, json.dumps(LISTED).encode())


@pytest.fixture(autouse=True)
def _asked_often(monkeypatch):
    monkeypatch.setattr("gateway.observer.PERIOD_SECONDS", 0.02)


def page(name: str) -> tuple[int, bytes]:
    return 200, (PAGES / f"{name}.txt").read_bytes()


def serving(engine: str, **placement: Any):
    """A policy whose pool is of this engine and whose model has an adapter."""

    def change(records: ProgramRecords) -> ProgramRecords:
        (pool,), (route,), (model, *others) = records.pools, records.routes, records.models
        return replace(
            records,
            models=(replace(model, adapters=("sql",)), *others),
            pools=(replace(pool, engine=engine),),
            routes=(replace(route, placement=replace(route.placement, **placement)),),
        )

    return change


def later(gw: GatewayProcess, microseconds: int) -> None:
    """The policy clock goes on by so much."""
    gw.clock.offset += microseconds


async def shown(gw: GatewayProcess, url: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = (await admin(gw, "/replicas"))["replicas"]
    return next(one for one in found if one["replica"] == url)


async def until_shown(gw: GatewayProcess, url: str, **members: Any) -> dict[str, Any]:
    await until(
        lambda: members.items() <= next(s for s in gw.replica_states() if s["replica"] == url).items()
    )
    return await shown(gw, url)


@pytest.mark.parametrize(
    ("engine", "path", "name", "running", "waiting"),
    [
        ("vllm", "/metrics", "vllm-0.19", 7, 3),
        ("sglang", "/metrics", "sglang-0.5-priorities-ranks", 9, 3),
        ("tgi", "/metrics", "tgi-3", 4, 7),
        ("trtllm", "/prometheus/metrics", "trtllm-1.3", 9, 4),
        ("openai", "/metrics", "llama.cpp-b5000", 1, 2),
    ],
)
async def test_each_engines_page_reaches_the_gate_and_the_admin_port(
    tmp_path, engine, path, name, running, waiting
):
    async with replicas() as (one,):
        one.pages = {path: page(name)}
        async with gateway(tmp_path, [one.url], change=serving(engine)) as gw:
            told = await until_shown(gw, one.url, running=running, waiting=waiting)
            assert told["known_from"] == "metrics"
            assert (told["reachable"], told["stale"], told["doubts"]) == (True, False, [])
            held = gw.coordinator._state.pools["chat-a"].by_url[one.url]
            assert held.foreign_sequences == running + waiting
            assert (await post(gw)).status == 200


@pytest.mark.parametrize(
    ("pages", "source"),
    [
        ({"/health": (200, b"")}, "health"),
        ({"/v1/models": MODELS}, "models"),
        ({}, "requests"),
        ({"/metrics": (200, b"process_open_fds 9\n"), "/health": (200, b"")}, "health"),
    ],
)
async def test_a_server_without_metrics_serves_by_our_own_counts(tmp_path, pages, source):
    async with replicas() as (one,):
        one.pages = pages
        async with gateway(tmp_path, [one.url], change=serving("openai")) as gw:
            told = await until_shown(gw, one.url, reachable=True)
            assert (told["known_from"], told["engine"], told["health"]) == (source, None, "healthy")
            assert (told["running"], told["waiting"], told["kv_used_ppm"]) == (None, None, None)
            assert told["age_ms"] < 3000
            assert (await post(gw)).status == 200


async def test_some_server_is_told_the_requests_name_as_a_uuid(tmp_path):
    """There are such that refuse any other."""
    async with replicas() as (one,), gateway(tmp_path, [one.url], change=serving("openai")) as gw:
        got = await post(gw)
        assert got.headers["x-request-id"].startswith("req_")
        (call,) = one.calls
        told = uuid.UUID(call.head.lower().partition("x-request-id: ")[2][:32])
        assert told == uuid.UUID(as_uuid(got.headers["x-request-id"]))


async def test_a_server_that_still_loads_is_sent_nothing_until_it_is_well(tmp_path):
    async with replicas(2) as (loading, well):
        loading.pages = {"/health": (503, b'{"error":"Loading model"}')}
        well.pages = {"/health": (200, b"")}
        async with gateway(tmp_path, [loading.url, well.url], change=serving("openai")) as gw:
            told = await until_shown(gw, loading.url, health="ejected")
            assert (told["reachable"], told["problem"]) == (False, "/health answers 503")
            assert [(await post(gw)).status for _ in range(4)] == [200] * 4
            assert not loading.calls
            loading.pages = {"/health": (200, b"")}
            await until_shown(gw, loading.url, reachable=True)
            while not loading.calls:
                assert (await post(gw)).status == 200
            await until_shown(gw, loading.url, health="healthy")


async def test_a_server_that_has_only_a_list_of_models_is_not_asked_for_it_while_it_works(tmp_path):
    """Some end what they are doing when they are asked for anything."""

    async def slow(call):
        before = len(one.asked)
        await go_on.wait()
        assert len(one.asked) == before
        await answer(call)

    go_on = asyncio.Event()
    async with replicas(script=slow) as (one,):
        one.pages = {"/v1/models": MODELS}
        async with gateway(tmp_path, [one.url], change=serving("openai")) as gw:
            await until_shown(gw, one.url, reachable=True)
            await until(lambda: not gw._observer._busy)
            asked = asyncio.ensure_future(post(gw))
            await until(lambda: one.calls)
            timer = gw._observer._timer
            await until(lambda: gw._observer._timer is not timer)  # twice: a period has passed
            timer = gw._observer._timer
            await until(lambda: gw._observer._timer is not timer)
            go_on.set()
            assert (await asked).status == 200
            before = len(one.asked)
            await until(lambda: len(one.asked) > before)


async def test_a_server_that_works_may_be_slow_to_say_that_it_is_well(tmp_path):
    async def slow(call):
        await go_on.wait()
        await answer(call)

    go_on = asyncio.Event()
    async with replicas(script=slow) as (one,):
        one.pages = {"/health": (200, b"")}
        async with gateway(tmp_path, [one.url], change=serving("openai")) as gw:
            await until_shown(gw, one.url, reachable=True)
            asked = asyncio.ensure_future(post(gw))
            await until(lambda: one.calls)
            one.answers.clear()
            for _ in range(5):
                timer = gw._observer._timer
                await until(lambda: gw._observer._timer is not timer)  # noqa: B023 - at once
            assert (await shown(gw, one.url))["health"] == "healthy"
            go_on.set()
            assert (await asked).status == 200
            await until_shown(gw, one.url, health="ejected")  # nothing to do, and still no answer


async def test_a_replica_that_fails_requests_is_set_aside_although_its_metrics_answer(tmp_path):
    async with replicas(2) as (bad, good), gateway(tmp_path, [bad.url, good.url]) as gw:
        bad.script = fail_500
        while len(bad.calls) < 3:
            assert (await post(gw)).status == 200, "the other one answers"
        told = await shown(gw, bad.url)
        assert (told["health"], told["reachable"]) == ("ejected", True)
        before = gw._observer.seen["chat-a", bad.url].report
        await until(lambda: gw._observer.seen["chat-a", bad.url].report is not before)
        assert [(await post(gw)).status for _ in range(4)] == [200] * 4
        assert len(bad.calls) == 3

        later(gw, 2 * SECOND)  # half open: one request tries, and fails
        while len(bad.calls) < 4:
            assert (await post(gw)).status == 200
        assert (await shown(gw, bad.url))["health"] == "ejected"
        later(gw, 2 * SECOND)  # twice as long now
        assert [(await post(gw)).status for _ in range(4)] == [200] * 4
        assert len(bad.calls) == 4

        bad.script = answer
        later(gw, 2 * SECOND)
        while len(bad.calls) < 5:
            assert (await post(gw)).status == 200
        assert (await shown(gw, bad.url))["health"] == "healthy"


async def test_numbers_older_than_three_seconds_count_no_more_and_their_age_is_shown(tmp_path):
    async with replicas() as (one,):
        one.pages = {"/metrics": page("vllm-0.19")}
        async with gateway(tmp_path, [one.url], change=serving("vllm")) as gw:
            await until_shown(gw, one.url, running=7)
            held = gw.coordinator._state.pools["chat-a"].by_url[one.url]
            assert held.foreign_sequences == 10
            gw._observer._timer.cancel()  # nobody asks any more
            await until(lambda: not gw._observer._busy)
            later(gw, 4 * SECOND)
            told = await shown(gw, one.url)
            assert told["stale"]
            assert told["age_ms"] >= 4000
            assert (await post(gw)).status == 200
            assert held.foreign_sequences == 0


async def test_a_request_for_an_adapter_goes_to_the_replica_that_lists_it(tmp_path):
    async with replicas(3) as made:
        for one in made:
            one.pages = {
                "/metrics": page("vllm-0.19"),
                "/v1/models": (200, b'{"data":[{"id":"llama-3-8b"}]}'),
            }
        holder = made[1]
        holder.pages = {"/metrics": page("vllm-0.19"), "/v1/models": MODELS}
        change = serving("vllm", scorers={"adapter": MILLION})
        async with gateway(tmp_path, [one.url for one in made], change=change) as gw:
            told = await until_shown(gw, holder.url, adapters_loaded=["sql"], reachable=True)
            assert told["adapters_in_use"] == []
            assert [(await post(gw, model="sql")).status for _ in range(5)] == [200] * 5
            assert [len(one.calls) for one in made] == [0, 5, 0]
            assert holder.calls[0].body["model"] == "sql"


async def test_adapters_in_use_are_read_from_the_metrics(tmp_path):
    async with replicas() as (one,):
        one.pages = {"/metrics": page("vllm-0.32-two-ranks-adapters")}
        async with gateway(tmp_path, [one.url], change=serving("vllm")) as gw:
            told = await until_shown(gw, one.url, running=10)
            assert told["adapters_in_use"] == ["law", "poems", "sql"]
            assert (told["kv_capacity"], told["prompt_tokens_cached"]) == (32_000, 200)


async def test_a_page_that_contradicts_itself_is_doubted_aloud(tmp_path):
    async with replicas() as (one,):
        one.pages = {
            "/metrics": (200, b"vllm:num_requests_running 3\n" * 2 + b"vllm:num_requests_waiting 1\n")
        }
        async with gateway(tmp_path, [one.url], change=serving("vllm")) as gw:
            told = await until_shown(gw, one.url, waiting=1)
            assert told["running"] is None
            assert told["doubts"] == ["vllm:num_requests_running: a series that is there twice"]


async def test_a_pool_whose_engine_changes_is_asked_anew(tmp_path):
    async with replicas() as (one,):
        one.pages = {"/metrics": page("vllm-0.19"), "/prometheus/metrics": page("trtllm-1.3")}
        async with gateway(tmp_path, [one.url], change=serving("vllm")) as gw:
            await until_shown(gw, one.url, engine="vllm")
            program = gw.coordinator.program
            (pool,) = program.records.pools
            gw.coordinator.program = type(program)(
                replace(program.records, pools=(replace(pool, engine="trtllm"),))
            )
            await until_shown(gw, one.url, engine="trtllm", running=9)
