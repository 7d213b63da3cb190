"""What do a client, a bill and a mirror's replicas see of a request that is copied?"""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace

from coordination.program.records import ProgramRecords, RouteTarget
from tests.gateway import upstream as up
from tests.gateway.console import Console
from tests.gateway.policy import SECOND
from tests.gateway.raw_client import until
from tests.gateway.running import admin, explanation, gateway, post
from tests.gateway.test_failures import die_before
from tests.gateway.test_hedging import counted, idle, silent
from tests.gateway.upstream import answer, replicas
from tests.support.ports import free_port

COPY = 'route="chat",pool="shadow"'


def mirrored(url: str, share: int = SECOND, first_byte: int = 20 * SECOND):
    """A second pool that gets no request of its own, and a copy of so many millionths of all."""

    def change(policy: ProgramRecords) -> ProgramRecords:
        (pool,), (route,) = policy.pools, policy.routes
        return replace(
            policy,
            pools=(pool, replace(pool, name="shadow", replicas=(url,))),
            routes=(
                replace(
                    route,
                    targets=(*route.targets, RouteTarget(pool="shadow", weight=0, mirror_ppm=share)),
                    timeouts=replace(route.timeouts, first_byte=first_byte),
                ),
            ),
        )

    return change


async def test_a_copy_is_sent_its_answer_thrown_away_and_nobody_pays(tmp_path):
    console = Console()
    async with (
        replicas(2) as (real, shadow),
        gateway(tmp_path, [real.url], change=mirrored(shadow.url), own=tmp_path / "own", post=console) as gw,
    ):
        streamed, whole = await post(gw, stream=True), await post(gw)
        assert (streamed.status, whole.status) == (200, 200)
        assert streamed.body.count(b"data: ") == 4
        await until(lambda: len(shadow.calls) == 2 and idle(gw))
        assert [call.body for call in shadow.calls] == [call.body for call in real.calls]
        assert f"x-request-id: {whole.headers['x-request-id']}-copy" in shadow.calls[1].head
        page = await admin(gw, "/metrics")
        assert counted(page, "headway_mirrored_total") == {f'{COPY},outcome="completed"': 2}
        assert counted(page, "headway_mirror_first_byte_seconds_count") == {COPY: 2}
        told = await explanation(gw, whole)
        assert f"a copy goes to {shadow.url} of pool shadow" in [
            step["says"] for step in told["decision"]["steps"]
        ]
        assert [one["replica"] for one in told["attempts"]] == [real.url]
        await until(lambda: len(console.events) == 2)
        assert {event.pool for event in console.events} == {"chat-a"}


async def test_nothing_is_copied_of_a_route_without_a_mirror(tmp_path):
    async with (
        replicas(2) as (real, shadow),
        gateway(tmp_path, [real.url], change=mirrored(shadow.url, share=0)) as gw,
    ):
        assert (await post(gw)).status == 200
        assert not shadow.calls
        assert "headway_mirror" not in await admin(gw, "/metrics")


async def test_a_pool_that_swallows_everything_slows_nobody(tmp_path):
    """32 copies hang at most; every answer comes all the same, and the copies end with their time."""
    async with (
        replicas(2) as (real, shadow),
        gateway(tmp_path, [real.url], change=mirrored(shadow.url, first_byte=SECOND // 2)) as gw,
    ):
        shadow.script = silent
        for _ in range(40):
            got = await post(gw)
            assert got.status == 200
        assert len(shadow.calls) <= 32
        assert len(gw.plane.mirrors.live) <= 32
        await until(lambda: not gw.plane.mirrors.live)
        page = await admin(gw, "/metrics")
        timed_out = counted(page, "headway_mirrored_total")[f'{COPY},outcome="timeout"']
        dropped = counted(page, "headway_mirror_dropped_total")
        assert timed_out + sum(dropped.values()) == 40
        assert idle(gw)


async def test_a_pool_that_is_not_there_harms_nobody(tmp_path):
    url = f"http://127.0.0.1:{free_port()}"
    async with replicas() as (real,), gateway(tmp_path, [real.url], change=mirrored(url)) as gw:
        assert {(await post(gw)).status for _ in range(5)} == {200}
        await until(lambda: not gw.plane.mirrors.live)
        page = await admin(gw, "/metrics")
        ended = counted(page, "headway_mirrored_total")
        assert set(ended) == {f'{COPY},outcome="connect"'}
        assert sum(ended.values()) + sum(counted(page, "headway_mirror_dropped_total").values()) == 5


async def refuse(call):
    await call.whole(b'{"error":"no"}', status="400 Bad Request")


async def half(call):
    await call.begin_stream()
    await call.chunk(up.event("one "))
    call.die()


@pytest.mark.parametrize(
    ("script", "outcome"),
    [(refuse, "refused"), (die_before, "reset"), (half, "reset"), (answer, "completed")],
)
async def test_whatever_becomes_of_a_copy_it_is_counted_and_unseen(tmp_path, script, outcome):
    async with (
        replicas(2) as (real, shadow),
        gateway(tmp_path, [real.url], change=mirrored(shadow.url)) as gw,
    ):
        shadow.script = script
        assert (await post(gw, stream=True)).status == 200
        await until(lambda: bool(gw.coordinator.copies()) and not gw.plane.mirrors.live)
        (copies,) = gw.coordinator.copies().values()
        assert (dict(copies.ended), copies.open) == ({outcome: 1}, 0)


async def test_a_stopping_gateway_does_not_wait_for_copies(tmp_path):
    async with replicas(2) as (real, shadow):
        shadow.script = silent
        async with gateway(tmp_path, [real.url], change=mirrored(shadow.url)) as gw:
            assert (await post(gw)).status == 200
            await until(lambda: len(shadow.calls) == 1)
        await asyncio.wait_for(shadow.calls[0].gone.wait(), 20)
