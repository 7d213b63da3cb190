"""What does a client see when a replica, or the client itself, goes away?"""

from __future__ import annotations

import asyncio
import json
from itertools import product

import pytest

from tests.gateway import upstream as up
from tests.gateway.policy import SECOND
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import chat_body, chat_request, error_code, explanation, gateway, post
from tests.gateway.upstream import answer, replicas
from tests.support.ports import free_port


async def die_before(call):
    call.die()


async def die_after_head(call):
    await call.begin_stream()
    call.die()


async def refuse_503(call):
    await call.whole(b'{"error":"busy"}', status="503 Service Unavailable")


async def fail_500(call):
    await call.whole(b"Traceback: secrets", status="500 Internal Server Error", kind="text/plain")


async def garbage(call):
    await call.raw(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")


async def two_lengths(call):
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}")


async def too_short(call):
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{}")
    call.die()


async def too_long(call):
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}{}")


async def silent_close(call):
    await call.raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    call.writer.close()


BAD = [die_before, die_after_head, refuse_503, fail_500, garbage, two_lengths, too_short, too_long]


@pytest.mark.parametrize(("script", "stream"), [*product(BAD, (True, False)), (silent_close, True)])
async def test_a_replica_that_fails_before_its_first_byte_is_replaced_by_another(tmp_path, script, stream):
    async with replicas(2) as (bad, good), gateway(tmp_path, [bad.url, good.url]) as gw:
        bad.script = script
        answers = [await post(gw, stream=stream) for _ in range(2)]
        assert [one.status for one in answers] == [200, 200]
        assert bad.calls
        told = [await explanation(gw, one) for one in answers]
        retried = next(one for one in told if len(one["attempts"]) == 2)
        tried = [attempt["replica"] for attempt in retried["attempts"]]
        assert tried == [bad.url, good.url]
        assert retried["charge"]["attempt"] == 2


@pytest.mark.parametrize("script", BAD)
async def test_when_no_replica_is_left_it_is_502_without_internals(tmp_path, script):
    async with replicas() as (bad,), gateway(tmp_path, [bad.url], attempts=0) as gw:
        bad.script = script
        got = await post(gw)
        assert (got.status, error_code(got)) == (502, "upstream_failed")
        assert b"Traceback" not in got.body
        assert (await explanation(gw, got))["charge"] is None


async def test_a_replica_that_is_not_there_is_replaced_by_one_that_is(tmp_path):
    dead = f"http://127.0.0.1:{free_port()}"
    async with replicas() as (good,), gateway(tmp_path, [dead, good.url]) as gw:
        assert [(await post(gw)).status for _ in range(6)] == [200] * 6
        await until(lambda: gw.replica_states()[0]["reachable"] is not None)
        states = {one["replica"]: one["reachable"] for one in gw.replica_states()}
        assert states == {dead: False, good.url: True}


async def test_all_replicas_gone_is_502(tmp_path):
    async with gateway(tmp_path, [f"http://127.0.0.1:{free_port()}"]) as gw:
        got = await post(gw)
        assert (got.status, error_code(got)) == (502, "upstream_failed")


async def test_no_first_byte_in_time_is_504(tmp_path):
    async def silent(call):
        await asyncio.Event().wait()

    async with replicas(script=silent) as (one,), gateway(tmp_path, [one.url], first_byte=SECOND // 5) as gw:
        got = await post(gw)
        assert (got.status, error_code(got)) == (504, "upstream_timeout")
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)


async def test_a_replica_that_dies_after_the_first_byte_ends_the_stream_with_an_error_event(tmp_path):
    async def half(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await call.chunk(up.event("two ")[:20])
        await asyncio.sleep(0.05)
        call.die()

    async with replicas(2, half) as (one, two), gateway(tmp_path, [one.url, two.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        got = await client.answer()
        first, error, rest = got.body.split(b"\n\n")
        assert b"one " in first
        assert json.loads(error.removeprefix(b"data: "))["error"]["code"] == "upstream_failed"
        assert rest == b""
        assert await client.ended()
        assert len(one.calls) + len(two.calls) == 1
        told = await explanation(gw, got)
        assert told["outcome"] == "aborted"
        assert told["charge"]["tokens"]["output"] == 1


async def test_a_stream_that_takes_too_long_is_ended_with_a_timeout_event(tmp_path):
    async def endless(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await asyncio.Event().wait()

    async with replicas(script=endless) as (one,), gateway(tmp_path, [one.url], total=SECOND // 4) as gw:
        got = await post(gw, stream=True)
        assert b'"code":"upstream_timeout"' in got.body
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)


async def test_a_client_that_leaves_mid_stream_stops_the_engine_and_pays_for_what_was_made(tmp_path):
    async def endless(call):
        await call.begin_stream()
        while True:
            await call.chunk(up.event("word "))
            await asyncio.sleep(0.002)

    async with replicas(script=endless) as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        head = await client.head()
        async for _ in client.chunks():
            break
        client.reset()
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: not gw.plane.live)
        told = await explanation(gw, head)
        assert (told["outcome"], told["status"]) == ("aborted", 499)
        assert told["charge"]["tokens"]["output"] >= 1


async def test_a_client_that_leaves_before_the_first_byte_stops_the_engine_too(tmp_path):
    async def silent(call):
        await asyncio.Event().wait()

    async with replicas(script=silent) as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body()))
        await until(lambda: one.calls)
        client.close()
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)
        await until(lambda: not gw.plane.live)


async def test_a_kept_connection_the_replica_closed_meanwhile_is_no_failure(tmp_path):
    async def once(call):
        await answer(call)
        call.writer.close()

    async with replicas(script=once) as (one,), gateway(tmp_path, [one.url], attempts=0) as gw:
        assert [(await post(gw)).status for _ in range(5)] == [200] * 5


async def test_a_kept_connection_that_dies_as_it_is_taken_is_tried_anew_on_the_same_replica(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url], attempts=0) as gw:
        assert (await post(gw)).status == 200

        async def die_once(call):
            one.script = answer
            call.die()

        one.script = die_once
        got = await post(gw)
        assert got.status == 200
        assert len((await explanation(gw, got))["attempts"]) == 1


async def test_an_engine_that_refuses_the_request_is_quoted_and_costs_nothing(tmp_path):
    body = b'{"error":{"message":"bad top_p","type":"BadRequestError","param":null,"code":400}}'

    async def refuse(call):
        await call.whole(body, status="400 Bad Request")

    async with replicas(script=refuse) as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw, top_p=7)
        assert (got.status, got.body) == (400, body)
        assert got.headers["x-headway-tier-served"] == "default"
        told = await explanation(gw, got)
        assert set(told["charge"]["tokens"].values()) == {0}


async def test_an_answer_that_ends_with_the_connection_is_whole(tmp_path):
    async def until_eof(call):
        await call.raw(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{"a":1}')
        call.writer.close()

    async with replicas(script=until_eof) as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw)).body == b'{"a":1,"service_tier":"default"}'


async def test_an_answer_that_is_not_json_passes_as_it_is_and_is_charged_by_estimate(tmp_path):
    async def text(call):
        await call.whole(b"hello", kind="text/plain")

    async with replicas(script=text) as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await post(gw)
        assert got.body == b"hello"
        assert (await explanation(gw, got))["charge"]["tokens"]["uncached_input"] > 0


@pytest.mark.parametrize("body", [b"{", b"[]", b'[{"a":1}]', b"}", b"null", b"", b'{"usage":7}x'])
async def test_an_answer_that_is_no_object_passes_as_it_is(tmp_path, body):
    async with replicas(script=lambda call: call.whole(body)) as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw)).body == body


async def test_draining_ends_what_lasts_too_long_with_a_code_and_settles_it(tmp_path):
    async def endless(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await asyncio.Event().wait()

    async with replicas(script=endless) as (one,):
        async with gateway(tmp_path, [one.url], sequences=1) as gw:
            client, waiting = await RawClient.to(gw.data.port), await RawClient.to(gw.data.port)
            await client.send(chat_request(chat_body(stream=True)))
            head = await client.head()
            await waiting.send(chat_request(chat_body()))
            await until(lambda: gw.coordinator.queue_depths().total() == 1)
        told = gw.plane.explanations.get(head.headers["x-request-id"])
        assert told is not None
        assert (told.outcome, told.status) == ("aborted", 503)
        assert told.charge is not None
        *_, last = [chunk async for chunk in client.chunks()]
        assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "gateway_stopping"
        assert await client.ended()
        refused = await waiting.answer()
        assert (refused.status, error_code(refused)) == (503, "gateway_stopping")
        assert int(refused.headers["retry-after-ms"]) > 0
        assert await waiting.ended()
        await asyncio.wait_for(one.calls[0].gone.wait(), 20)


async def test_draining_lets_an_answer_end_that_ends_in_time(tmp_path):
    release = asyncio.Event()

    async def slow(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await release.wait()
        await call.chunk(up.DONE)
        await call.end_stream()

    async with (
        replicas(script=slow) as (one,),
        gateway(tmp_path, [one.url], options={"drain_seconds": 20}) as gw,
    ):
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await client.head()
        stopping = asyncio.ensure_future(gw.stop())
        await until(lambda: gw.data.draining)
        assert gw.readiness()["ready"] is False
        with pytest.raises(OSError, match="Connect"):
            await RawClient.to(gw.data.port)
        release.set()
        assert [chunk async for chunk in client.chunks()][-1] == up.DONE
        await stopping
