"""Faults on demand: each does what it says, to its own replica only, and can be taken back."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from simfleet.fleet import running
from simfleet.replica import ReplicaSettings


async def fault(http: httpx.AsyncClient, **body) -> httpx.Response:
    return await http.post("/admin/faults", json=body)


async def test_errors_are_counted_down_and_then_it_serves_again(http, chat):
    await fault(http, kind="error", status=503, count=2)
    answers = [await http.post("/v1/chat/completions", json=chat()) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert "fault" in answers[0].json()["error"]["message"]


async def test_errors_without_a_count_last_until_lifted_and_spare_the_neighbour(http, chat, fleet):
    await fault(http, kind="error")
    assert [(await http.post("/v1/chat/completions", json=chat())).status_code for _ in "ab"] == [500, 500]
    neighbour = await http.post(f"{fleet.urls[1]}/v1/chat/completions", json=chat())
    assert neighbour.status_code == 200
    await fault(http, kind="none")
    assert (await http.post("/v1/chat/completions", json=chat())).status_code == 200


async def test_a_stalled_replica_accepts_and_stays_silent_until_it_goes_on(fleet, raw, chat, http, until):
    engine = fleet.replicas[0].engine
    working, working_writer = await raw(chat(tokens=400, stream=True))
    await working.readuntil(b"data: ")
    await fault(http, kind="stall")
    reader, writer = await raw(chat(stream=True))
    await until(lambda: bool(engine.waiting))
    done = [sequence.emitted for sequence in engine._decoding.values()]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), 0.3)
    assert [sequence.emitted for sequence in engine._decoding.values()] == done
    assert (await http.get("/health")).status_code == 200
    assert (
        'vllm:num_requests_waiting{engine="0",model_name="llama-3-8b"} 1.0'
        in (await http.get("/metrics")).text
    )
    await fault(http, kind="none")
    await asyncio.wait_for(working.readuntil(b"[DONE]"), 20)
    assert b"data:" in await asyncio.wait_for(reader.readuntil(b"[DONE]"), 20)
    for each in (writer, working_writer):
        each.close()


async def test_a_slow_replica_stretches_the_step_it_is_about_to_take(fleet, http):
    loop = fleet.replicas[0].loop
    await fault(http, kind="slow", factor=7.5)
    assert loop.slow == 7.5
    assert fleet.replicas[1].loop.slow == 1.0
    await fault(http, kind="none")
    assert loop.slow == 1.0


async def test_dead_at_once_means_reset_connections_and_a_closed_port(
    fleet, raw, chat, http, until, until_reset
):
    reader, writer = await raw(chat(tokens=100_000, stream=True))
    await reader.readuntil(b"data: ")
    assert (await fault(http, kind="die")).status_code == 200
    await until_reset(reader)
    await until(lambda: not fleet.replicas[0].alive)
    with pytest.raises(httpx.ConnectError):
        await http.get("/health")
    (entry,) = fleet.replicas[0].record.after(0, 10)
    assert entry.outcome == "aborted"
    writer.close()


@pytest.mark.parametrize("chunks", [1, 3])
async def test_dead_after_so_many_chunks_dies_in_mid_answer(fleet, raw, chat, http, chunks, until_reset):
    await fault(http, kind="die", after_chunks=chunks)
    reader, writer = await raw(chat(tokens=1000, stream=True))
    seen = await until_reset(reader)
    assert seen.count(b'"finish_reason":null') == chunks + 1  # and the one that names the role
    assert b"[DONE]" not in seen
    assert not fleet.replicas[0].alive
    writer.close()


async def test_dead_before_the_first_byte_answers_nothing(fleet, raw, chat, http):
    await fault(http, kind="die", after_chunks=0)
    assert (await http.get("/health")).status_code == 200
    reader, writer = await raw(chat(stream=True))
    with pytest.raises(ConnectionError):
        await asyncio.wait_for(reader.read(1), 20)
    assert fleet.replicas[0].record.after(0, 10) == []
    writer.close()


async def test_a_dead_replica_comes_back_on_its_port_cold_but_with_its_book(fleet, chat):
    dead, living = fleet.replicas
    body = chat(words=500)
    async with httpx.AsyncClient() as http:
        await http.post(f"{dead.url}/v1/chat/completions", json=body)
        dead.die()
        told = await http.post(f"{living.url}/admin/faults", json={"kind": "none", "replica": 0})
        assert told.json()["alive"] is True
        assert [
            entry["alive"] for entry in (await http.get(f"{dead.url}/admin/faults")).json()["faults"]
        ] == [
            True,
            True,
        ]
        usage = (await http.post(f"{dead.url}/v1/chat/completions", json=body)).json()["usage"]
        assert usage["prompt_tokens_details"]["cached_tokens"] == 0
        page = (await http.get(f"{dead.url}/metrics")).text
        assert 'finished_reason="length"} 1.0' in page, "counters start again, as those of a new process"
        assert dead.record.totals.completed == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "truncated"),
        (b'{"kind":"explode"}', "Invalid enum value"),
        (b'{"kind":"slow","factor":0}', "factor"),
        (b'{"kind":"error","status":200}', "status"),
        (b'{"kind":"error","count":0}', "count"),
        (b'{"kind":"die","after_chunks":-1}', "after_chunks"),
        (b'{"kind":"none","replica":9}', "no replica 9"),
        (b'{"kind":"none","when":"now"}', "unknown field"),
    ],
)
async def test_a_fault_that_makes_no_sense_is_refused(http, body, says):
    answer = await http.post("/admin/faults", content=body)
    assert answer.status_code == 400
    assert says in answer.json()["error"]["message"]


async def test_killing_and_reviving_over_and_over_leaves_nothing_behind(chat, until):
    async with running(settings=ReplicaSettings(speed=20.0)) as fleet, httpx.AsyncClient() as http:
        replica = fleet.replicas[0]
        for _ in range(5):
            task = asyncio.create_task(
                http.post(f"{replica.url}/v1/chat/completions", json=chat(tokens=50_000))
            )
            await until(lambda: replica.engine.running > 0)
            replica.die()
            with pytest.raises(httpx.TransportError):
                await asyncio.wait_for(task, 20)
            assert not replica._streams
            assert not replica._connections
            await replica.listen(replica.port)
        assert replica.record.totals.aborted == 5
