"""What does a client see of a slow replica when its route hedges, and what do the others?"""

from __future__ import annotations

import asyncio
import json

import pytest
from msgspec.structs import replace

from coordination.program.records import HedgingRecord, ProgramRecords
from tests.gateway import upstream as up
from tests.gateway.console import Console
from tests.gateway.policy import SECOND
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import (
    admin,
    chat_body,
    chat_request,
    error_code,
    explanation,
    gateway,
    post,
    put,
)
from tests.gateway.test_failures import die_after_head, die_before, refuse_503
from tests.gateway.upstream import answer, replicas

AFTER = SECOND // 50


async def silent(call):
    await asyncio.Event().wait()


async def head_and_no_more(call):
    await call.begin_stream()
    await asyncio.Event().wait()


def hedged(after: int = AFTER, most: int = SECOND):
    def change(policy: ProgramRecords) -> ProgramRecords:
        (route,) = policy.routes
        hedging = HedgingRecord(after=after, most_ppm=most)
        return replace(policy, routes=(replace(route, hedging=hedging),))

    return change


def idle(gw) -> bool:
    state = gw.coordinator._state
    return all(
        (one.sequences, one.kv_tokens, one.backlog_us) == (0, 0, 0)
        for pool in state.pools.values()
        for one in pool.replicas.values()
    )


def counted(page: str, name: str) -> dict[str, int]:
    lines = [line for line in page.splitlines() if line.startswith(name + "{")]
    return {line[len(name) + 1 : line.index("}")]: int(line.rsplit(" ", 1)[1]) for line in lines}


async def test_a_silent_replica_is_overtaken_and_its_attempt_cancelled(tmp_path):
    for script in (silent, head_and_no_more):
        folder = tmp_path / script.__name__
        folder.mkdir()
        async with (
            replicas(2) as (slow, quick),
            gateway(folder, [slow.url, quick.url], change=hedged()) as gw,
        ):
            slow.script = script
            got = await post(gw, stream=True)
            assert got.status == 200
            assert got.body.count(b"data: ") == 4
            await asyncio.wait_for(slow.calls[0].gone.wait(), 20)
            told = await explanation(gw, got)
            assert [one["replica"] for one in told["attempts"]] == [slow.url, quick.url]
            assert told["charge"]["attempt"] == 2
            says = [step["says"] for step in told["decision"]["steps"] if step["rule"] == "R22"]
            assert says[0].startswith(f"attempt 2 on {quick.url} beside attempt 1, which sent nothing for")
            assert says[1].startswith(f"attempt 1 on {slow.url} is over (dropped)")
            assert idle(gw)
            page = await admin(gw, "/metrics")
            assert counted(page, "headway_hedges_total") == {'route="chat"': 1}
            assert counted(page, "headway_hedges_won_total") == {'route="chat"': 1}


async def test_the_first_attempt_may_still_win_and_the_second_is_cancelled(tmp_path):
    async def later(call):
        await until(lambda: second.calls)
        await answer(call)

    async with (
        replicas(2) as (first, second),
        gateway(tmp_path, [first.url, second.url], change=hedged()) as gw,
    ):
        first.script, second.script = later, silent
        got = await post(gw, stream=True)
        assert got.body.count(b"data: ") == 4
        await asyncio.wait_for(second.calls[0].gone.wait(), 20)
        told = await explanation(gw, got)
        assert [one["attempt"] for one in told["attempts"]] == [2, 1]
        assert told["charge"]["attempt"] == 1
        assert idle(gw)


async def test_a_quick_answer_is_asked_for_once(tmp_path):
    async with (
        replicas(2) as both,
        gateway(tmp_path, [one.url for one in both], change=hedged(after=5 * SECOND)) as gw,
    ):
        for _ in range(4):
            assert (await post(gw, stream=True)).status == 200
        assert sum(len(one.calls) for one in both) == 4
        page = await admin(gw, "/metrics")
        assert counted(page, "headway_hedge_requests_total") == {'route="chat"': 4}
        assert counted(page, "headway_hedges_total") == {'route="chat"': 0}


async def test_nothing_is_tried_twice_after_the_first_byte(tmp_path):
    async def pauses(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await asyncio.wait_for(looked.wait(), 20)
        await call.chunk(up.DONE)
        await call.end_stream()

    looked = asyncio.Event()
    async with (
        replicas(2, pauses) as both,
        gateway(tmp_path, [one.url for one in both], change=hedged(after=3600 * SECOND)) as gw,
    ):
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await client.head()
        (exchange,) = gw.plane.live
        exchange._race._due()  # as if the time were over just now
        looked.set()
        await until(lambda: not gw.plane.live)
        assert sum(len(one.calls) for one in both) == 1
        client.close()


async def test_an_answer_that_is_made_before_it_is_sent_is_waited_for(tmp_path):
    async def slowly(call):
        await asyncio.wait_for(looked.wait(), 20)
        await answer(call)

    looked = asyncio.Event()
    async with (
        replicas(2, slowly) as both,
        gateway(tmp_path, [one.url for one in both], change=hedged()) as gw,
    ):
        asked = asyncio.ensure_future(post(gw))
        await until(lambda: gw.plane.live)
        assert [exchange._race for exchange in gw.plane.live] == [None]
        looked.set()
        assert (await asked).status == 200
        assert sum(len(one.calls) for one in both) == 1
        vectors = json.dumps({"data": [], "usage": {"prompt_tokens": 4}}).encode()

        async def embed(call):
            await call.whole(vectors)

        slow, quick = both if len(both[1].calls) else both[::-1]
        slow.script, quick.script = silent, embed
        got = await put(gw, "/v1/embeddings", input="a text")
        assert got.status == 200
        assert (len(slow.calls), len(quick.calls)) == (1, 2)


@pytest.mark.parametrize("failing", [die_before, die_after_head, refuse_503])
async def test_the_second_attempt_goes_on_when_the_first_one_fails(tmp_path, failing):
    async with replicas(2) as (bad, good):

        async def fails_late(call):
            await until(lambda: good.calls)
            await failing(call)

        async def answers_then(call):
            await until(lambda: bad.calls[-1].gone.is_set())
            await answer(call)

        bad.script, good.script = fails_late, answers_then
        async with gateway(tmp_path, [bad.url, good.url], change=hedged(), attempts=0) as gw:
            got = await post(gw, stream=True)
            assert got.status == 200
            told = await explanation(gw, got)
            assert told["charge"]["attempt"] == 2
            assert idle(gw)


async def test_a_second_attempt_that_fails_leaves_the_first_alone(tmp_path):
    async with replicas(2) as (first, second):

        async def late(call):
            await until(lambda: second.calls and second.calls[0].gone.is_set())
            await answer(call)

        first.script, second.script = late, refuse_503
        async with gateway(tmp_path, [first.url, second.url], change=hedged()) as gw:
            got = await post(gw, stream=True)
            assert got.status == 200
            assert (await explanation(gw, got))["charge"]["attempt"] == 1
            assert (len(first.calls), len(second.calls)) == (1, 1)
            assert idle(gw)


async def test_when_both_fail_it_is_one_error(tmp_path):
    async with replicas(2) as (first, second):

        async def both_called(call):
            await until(lambda: first.calls and second.calls)
            await refuse_503(call)

        first.script = second.script = both_called
        async with gateway(tmp_path, [first.url, second.url], change=hedged(), attempts=0) as gw:
            got = await post(gw, stream=True)
            assert (got.status, error_code(got)) == (502, "upstream_failed")
            assert idle(gw)


async def test_a_client_that_leaves_stops_both(tmp_path):
    async with (
        replicas(2, silent) as both,
        gateway(tmp_path, [one.url for one in both], change=hedged()) as gw,
    ):
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await until(lambda: all(one.calls for one in both))
        client.close()
        for one in both:
            await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: idle(gw))


async def test_no_more_are_tried_twice_than_the_route_allows(tmp_path):
    async def slowly(call):
        await asyncio.sleep(2 * AFTER / SECOND)
        await answer(call)

    async with (
        replicas(2, slowly) as both,
        gateway(tmp_path, [one.url for one in both], change=hedged(most=SECOND // 4)) as gw,
    ):
        answers = [await post(gw, stream=True) for _ in range(5)]
        assert {one.status for one in answers} == {200}
        assert sum(len(one.calls) for one in both) == 6
        page = await admin(gw, "/metrics")
        assert counted(page, "headway_hedges_declined_total") == {'route="chat",reason="budget"': 4}


async def test_both_attempts_are_on_record_and_one_is_billed(tmp_path):
    console = Console()
    async with (
        replicas(2) as (slow, quick),
        gateway(
            tmp_path,
            [slow.url, quick.url],
            change=hedged(),
            own=tmp_path / "own",
            post=console,
        ) as gw,
    ):
        slow.script = silent
        assert (await post(gw, stream=True)).status == 200
        await until(lambda: len(console.events) == 2)
        dropped, billed = sorted(console.events, key=lambda one: one.attempt)
        assert (dropped.attempt, dropped.kind, dropped.outcome) == (1, "failed", "aborted")
        assert (dropped.replica, dropped.uncached_input, dropped.output) == (slow.url, 0, 0)
        assert (billed.attempt, billed.kind, billed.outcome) == (2, "settled", "completed")
        assert (billed.replica, billed.output) == (quick.url, 3)
        assert dropped.started_at < billed.started_at < billed.ended_at
