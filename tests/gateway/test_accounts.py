"""What does the ledger hear of each request? One event an attempt that was sent, whatever becomes of it."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise

import pytest

from gateway.shipping import ASIDE
from gateway.wal.facts import decode_passed
from gateway.wal.records import PASSED, scan
from tests.gateway import upstream as up
from tests.gateway.console import Console
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import admin, chat_body, chat_request, error_code, explanation, gateway, post
from tests.gateway.test_wal import small_disk  # noqa: F401 - a fixture
from tests.gateway.upstream import replicas


@pytest.fixture
def console():
    return Console()


def told(event):
    """What a bill is made of."""
    return (
        event.kind,
        event.outcome,
        event.counted_by,
        event.uncached_input,
        event.cached_input,
        event.output,
    )


BY_ENGINE = ("settled", "completed", "engine", 7, 4, 3)
"""What the scripted replica says it used."""


@pytest.mark.parametrize("stream", [True, False])
async def test_what_the_engine_reports_is_what_the_ledger_hears(tmp_path, console, stream):
    async with replicas() as (one,), gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw:
        got = await post(gw, stream=stream)
        await until(lambda: console.events)
    (event,) = console.events
    assert told(event) == BY_ENGINE
    assert event.request_id == got.headers["x-request-id"]
    assert (event.tenant, event.model, event.tier, event.pool, event.replica, event.attempt) == (
        *("acme", "llama-3-8b", "standard", "chat-a", one.url, 1),
    )
    assert event.key_id
    assert event.bundle == got.headers["x-headway-bundle"]
    assert event.spend_nano is None
    assert event.started_at <= event.ended_at


async def test_a_client_that_leaves_is_charged_for_what_passed(tmp_path, console):
    async def two_words(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await call.chunk(up.event("two "))
        await call.gone.wait()

    async with (
        replicas(script=two_words) as (one,),
        gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw,
    ):
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await client.head()
        await until(lambda: any(each._events and each._events.tokens == 2 for each in gw.plane.live))
        client.reset()
        await until(lambda: console.events)
    (event,) = console.events
    assert told(event)[:3] == ("settled", "aborted", "gateway")
    assert event.output == 2
    assert event.uncached_input > 0


async def test_a_failed_attempt_and_the_one_that_follows_are_two_events_and_one_is_free(tmp_path, console):
    async def die(call):
        call.die()

    async with (
        replicas(2) as (bad, good),
        gateway(tmp_path, [bad.url, good.url], own=tmp_path / "own", post=console) as gw,
    ):
        bad.script = die
        answers = [await post(gw) for _ in range(2)]
        await until(lambda: sum(event.kind == "settled" for event in console.events) == 2)
        explained = [await explanation(gw, one) for one in answers]
    retried = next(one["request_id"] for one in explained if len(one["attempts"]) == 2)
    first, second = console.of(retried)
    assert told(first) == ("failed", "failed", "gateway", 0, 0, 0)
    assert told(second) == BY_ENGINE
    assert (first.attempt, second.attempt) == (1, 2)


async def test_what_the_engine_refuses_is_free(tmp_path, console):
    async def refuse(call):
        await call.whole(b'{"error":{"message":"no"}}', status="400 Bad Request")

    async with (
        replicas(script=refuse) as (one,),
        gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw,
    ):
        assert (await post(gw)).status == 400
        await until(lambda: console.events)
    assert told(console.events[0]) == ("settled", "failed", "engine", 0, 0, 0)


async def test_a_stream_that_breaks_off_is_charged_for_what_passed(tmp_path, console):
    async def half(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        call.die()

    async with (
        replicas(script=half) as (one,),
        gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw,
    ):
        await post(gw, stream=True)
        await until(lambda: console.events)
    assert told(console.events[0])[:3] == ("settled", "failed", "gateway")
    assert console.events[0].output == 1


async def test_what_was_never_sent_is_on_no_record(tmp_path, console):
    async with replicas() as (one,), gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw:
        assert (await post(gw, key="tight")).status == 200
        assert (await post(gw, key="tight")).status == 429
        assert (await post(gw, model="nope")).status == 404
        await until(lambda: console.events)
        await post(gw)
        await until(lambda: len(console.events) == 2)
    assert len(console.events) == 2


async def test_an_outage_is_caught_up_with_and_a_lost_answer_is_repeated_word_for_word(tmp_path, console):
    console.away = True
    async with replicas() as (one,), gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw:
        asked = {(await post(gw)).headers["x-request-id"] for _ in range(20)}
        await until(lambda: gw.readiness()["ledger"]["unsent"] == 20)
        console.away, console.forgets_to_answer = False, True
        await until(lambda: len(console.batches) >= 2)
        console.forgets_to_answer = False
        await until(lambda: gw.readiness()["ledger"]["unsent"] == 0)
    assert {event.request_id for event in console.events} == asked
    for request_id in asked:
        copies = [event for event in console.events if event.request_id == request_id]
        assert len(copies) >= 2
        assert all(copy == copies[0] for copy in copies)


async def test_what_was_not_sent_before_a_stop_is_sent_by_the_next_gateway(tmp_path, console):
    console.away = True
    async with replicas() as (one,):
        async with gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw:
            asked = {(await post(gw)).headers["x-request-id"] for _ in range(5)}
        assert console.events == []
        console.away = False
        async with gateway(tmp_path, [one.url], own=tmp_path / "own", post=console):
            await until(lambda: len(console.events) == 5)
    assert {event.request_id for event in console.events} == asked
    assert {event.kind for event in console.events} == {"settled"}


async def test_a_stopping_gateway_says_what_it_can_still_say(tmp_path, console):
    async def hang(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await call.gone.wait()

    async with (
        replicas(script=hang) as (one,),
        gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw,
    ):
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await client.head()
    assert [told(event)[:3] for event in console.events] == [("settled", "failed", "gateway")]


async def test_an_event_the_console_will_not_have_is_put_aside_and_holds_no_other_up(tmp_path, console):
    console.away = True
    async with replicas() as (one,), gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw:
        asked = [(await post(gw)).headers["x-request-id"] for _ in range(9)]
        console.malformed = {asked[4]}
        console.away = False
        await until(lambda: gw.readiness()["ledger"]["unsent"] == 0)
        assert gw.readiness()["ledger"]["declined"] == 1
        assert "headway_usage_declined_total 1\n" in await admin(gw, "/metrics")
    assert {event.request_id for event in console.events} == set(asked) - {asked[4]}
    aside = (tmp_path / "own" / "usage" / ASIDE).read_text().splitlines()
    assert [json.loads(line)["request_id"] for line in aside] == [asked[4]]


async def test_on_a_full_disk_requests_are_refused_if_that_is_wished(tmp_path, console, small_disk):  # noqa: F811
    async with (
        replicas() as (one,),
        gateway(tmp_path, [one.url], own=small_disk, post=console, on_ledger_full="refuse") as gw,
    ):
        got = await post(gw)
        assert (got.status, error_code(got)) == (503, "accounting_unavailable")
        assert gw.readiness()["ledger"]["recording"] is False
    assert one.calls == []


async def test_on_a_full_disk_requests_are_served_and_told_of_from_memory_otherwise(
    tmp_path,
    console,
    small_disk,  # noqa: F811
):
    async with replicas() as (one,), gateway(tmp_path, [one.url], own=small_disk, post=console) as gw:
        got = await post(gw)
        assert got.status == 200
        await until(lambda: console.events)
        ledger = gw.readiness()["ledger"]
        assert (ledger["recording"], ledger["unrecorded"], ledger["lost"]) == (False, 1, 0)
        assert "No space left" in ledger["trouble"]
    # At least once: what was not acknowledged before the end is told again.
    assert {event.request_id for event in console.events} == {got.headers["x-request-id"]}


async def test_without_a_folder_of_its_own_nothing_is_kept(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw)).status == 200
        assert gw.readiness()["ledger"] is None


async def test_long_answers_are_noted_on_the_way(tmp_path, console):
    """Every 256 tokens; what a kill would leave is then a lower bound that close."""

    async def many(call):
        await call.begin_stream()
        for _ in range(600):
            await call.chunk(up.event("w "))
        await call.gone.wait()

    async with (
        replicas(script=many) as (one,),
        gateway(tmp_path, [one.url], own=tmp_path / "own", post=console) as gw,
    ):
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await client.head()
        async with asyncio.timeout(20):
            async for _ in client.chunks():
                if any(each._events.tokens == 600 for each in gw.plane.live if each._events):
                    break
        wal = next((tmp_path / "own" / "usage").glob("*.wal")).read_bytes()
        client.reset()
    passed = [decode_passed(record.payload).output for record in scan(wal) if record.kind == PASSED]
    assert passed[0] == 0
    assert passed[1:] == sorted(passed[1:])
    assert all(b - a >= 256 for a, b in pairwise(passed))
    assert len(passed) >= 2
