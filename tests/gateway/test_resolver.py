"""Do the replicas of a name come and go with the DNS, and stay when it fails?"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from coordination.program.records import ProgramRecords
from gateway.process import GatewayProcess
from tests.gateway.policy import SECOND
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import admin, chat_body, chat_request, explanation, gateway, post
from tests.gateway.upstream import replicas

PLANNED = ["http://0.chat-a.planned", "http://1.chat-a.planned"]


@pytest.fixture(autouse=True)
def _asked_often(monkeypatch):
    monkeypatch.setattr("gateway.observer.PERIOD_SECONDS", 0.02)
    monkeypatch.setattr("gateway.resolver.PERIOD_SECONDS", 0.02)


class Names:
    """A resolver that answers what it is told to."""

    def __init__(self, *addresses: str) -> None:
        self.answer: list[str] | OSError = list(addresses)
        self.asked: list[tuple[str, int]] = []
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        await self.open.wait()
        if isinstance(self.answer, OSError):
            raise self.answer
        return self.answer

    async def asked_again(self, times: int = 2) -> None:
        """So often that the last but one has been answered."""
        before = len(self.asked)
        await until(lambda: len(self.asked) >= before + times)


def named(name: str):
    def change(records: ProgramRecords) -> ProgramRecords:
        (pool,) = records.pools
        return replace(records, pools=(replace(pool, dns=name),))

    return change


async def name_of(gw: GatewayProcess) -> dict[str, Any]:
    (found,) = (await admin(gw, "/replicas"))["names"]
    return dict(found)


def urls(gw: GatewayProcess) -> list[str]:
    return [one["replica"] for one in gw.replica_states()]


async def test_a_name_is_asked_for_before_the_first_request_and_never_what_it_is_planned_with(tmp_path):
    async with replicas() as (one,):
        names = Names("127.0.0.1")
        change = named(f"chat.example:{one.port}")
        async with gateway(tmp_path, PLANNED, change=change, lookup=names) as gw:
            got = await post(gw)
            assert got.status == 200
            told = await explanation(gw, got)
            assert [attempt["replica"] for attempt in told["attempts"]] == [one.url]
            assert names.asked[0] == ("chat.example", one.port)
            await until(lambda: urls(gw) == [one.url])
            shown = await name_of(gw)
            assert (shown["name"], shown["replicas"]) == (f"chat.example:{one.port}", 1)
            assert (shown["problem"], shown["failing_ms"]) == (None, None)


async def test_the_systems_resolver_knows_this_machine(tmp_path):
    async with replicas() as (one,):
        change = named(f"localhost:{one.port}")
        async with gateway(tmp_path, PLANNED, change=change) as gw:
            assert (await post(gw)).status == 200
            assert one.calls


async def test_who_joins_is_used_and_who_leaves_ends_what_it_has_begun(tmp_path):
    async def slow(call):
        await call.begin_stream()
        await go_on.wait()
        await answer_rest(call)

    async def answer_rest(call):
        from tests.gateway.upstream import DONE, event

        await call.chunk(event("late"))
        await call.chunk(DONE)
        await call.end_stream()

    go_on = asyncio.Event()
    names = Names("127.0.0.1")
    async with replicas() as (one,):
        change = named(f"chat.example:{one.port}")
        async with gateway(tmp_path, PLANNED, change=change, lookup=names) as gw:
            one.script = slow
            client = await RawClient.to(gw.data.port)
            await client.send(chat_request(chat_body(stream=True)))
            await until(lambda: one.calls)
            names.answer = ["127.0.0.2"]  # all of 127/8 is this machine
            other = f"http://127.0.0.2:{one.port}"
            await until(lambda: gw.coordinator.members("chat-a") == (other,))
            await until(lambda: urls(gw) == [other])
            go_on.set()
            got = await client.answer()
            assert b"late" in got.body
            assert (await explanation(gw, got))["outcome"] == "completed"
            held = gw.coordinator._state.pools["chat-a"]
            assert list(held.by_url) == [other]
            assert held.ordinary_sequences == 0


async def test_a_failing_dns_keeps_the_last_answer_and_says_so(tmp_path):
    async with replicas() as (one,):
        names = Names("127.0.0.1")
        name = f"chat.example:{one.port}"
        async with gateway(tmp_path, PLANNED, change=named(name), lookup=names) as gw:
            names.answer = OSError("Name or service not known")
            await names.asked_again()
            shown = await name_of(gw)
            assert (shown["replicas"], shown["problem"]) == (1, "Name or service not known")
            assert shown["failing_ms"] is not None
            assert f'headway_dns_failing{{name="{name}"}} 1' in await admin(gw, "/metrics")
            assert (await post(gw)).status == 200
            names.answer = ["169.254.169.254"]
            await names.asked_again()
            assert (await name_of(gw))["problem"] == "169.254.169.254 cannot be a replica"
            names.answer = ["127.0.0.1"]
            await names.asked_again()
            assert (await name_of(gw))["problem"] is None
            assert f'headway_dns_failing{{name="{name}"}} 0' in await admin(gw, "/metrics")
            assert (await post(gw)).status == 200


async def test_a_question_that_hangs_is_not_asked_twice_and_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.resolver.ANSWER_SECONDS", 0.05)
    async with replicas() as (one,):
        names = Names("127.0.0.1")
        change = named(f"chat.example:{one.port}")
        async with gateway(tmp_path, PLANNED, change=change, lookup=names) as gw:
            names.open.clear()
            await names.asked_again(1)
            asked = len(names.asked)
            await until(lambda: gw.name_states()[0]["problem"] == "no answer in time")
            assert (await post(gw)).status == 200
            assert len(names.asked) == asked
            names.open.set()
            await until(lambda: gw.name_states()[0]["problem"] is None)


async def test_requests_wait_for_the_first_answer(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.resolver.FIRST_SECONDS", 0.01)
    async with replicas() as (one,):
        names = Names("127.0.0.1")
        names.open.clear()
        change = named(f"chat.example:{one.port}")
        async with gateway(tmp_path, PLANNED, change=change, lookup=names) as gw:
            asked = asyncio.ensure_future(post(gw))
            await until(lambda: gw.coordinator.queue_depths())
            names.open.set()
            assert (await asked).status == 200


async def test_a_name_without_replicas_refuses_as_a_full_pool_does(tmp_path):
    names = Names()
    names.answer = OSError("no such name")
    change = named("chat.example:8000")
    async with gateway(tmp_path, PLANNED, change=change, lookup=names, standard_wait=SECOND // 10) as gw:
        got = await post(gw)
        assert got.status == 503
        assert b'"capacity_exceeded"' in got.body
        assert urls(gw) == []
