"""Do workers keep one set of rules, together, and outlive each other? Over sockets, in one process."""

from __future__ import annotations

import asyncio
import json
import ssl
from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from coordination.program.index import load
from coordination.program.records import LimitRecord
from gateway.process import CannotListen
from tests.gateway import policy
from tests.gateway import upstream as up
from tests.gateway.console import Console
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import admin, chat_body, chat_request, error_code, explanation
from tests.gateway.test_tls import self_signed
from tests.gateway.upstream import replicas
from tests.gateway.workers.inside import crew


async def clients(process, insides, count=20):
    """Connections, so many that the kernel gives some to each worker; the same number to each."""
    made = [await RawClient.to(process.front.port) for _ in range(count)]
    await until(lambda: sum(len(one.data.connections) for one in insides.workers) == count)
    return made


def of_worker(made, worker):
    """Those of ``made`` that it serves."""
    peers = {connection.transport.get_extra_info("peername") for connection in worker.data.connections}
    return [client for client in made if client.writer.get_extra_info("sockname") in peers]


async def ask(client, key="acme", **members):
    await client.send(chat_request(chat_body(**members), key))
    return await client.answer()


def limited(limit=None, concurrency=None):
    """The policy, with acme held to so many requests a minute, or at once."""

    def change(records):
        quotas = tuple(
            policy.quota(
                "acme-all",
                "acme",
                () if limit is None else (LimitRecord(of="requests", per="1m", limit=limit),),
                concurrency=concurrency,
            )
            if one.tenant == "acme"
            else one
            for one in records.quotas
        )
        return changed(records, quotas=quotas)

    return change


async def test_a_limit_of_twenty_admits_twenty_however_many_workers_there_are(tmp_path):
    async with (
        replicas() as (one,),
        crew(tmp_path, [one.url], workers=3, change=limited(limit=20)) as (gw, insides),
    ):
        made = await clients(gw, insides, 30)
        assert sum(bool(worker.data.connections) for worker in insides.workers) >= 2
        answers = await asyncio.gather(*(ask(client) for client in made))
        assert sorted(answer.status for answer in answers) == [200] * 20 + [429] * 10
        assert len(one.calls) == 20
        refused = next(answer for answer in answers if answer.status == 429)
        assert error_code(refused) == "rate_limit_exceeded"
        assert refused.headers["x-ratelimit-remaining-requests"] == "0"


async def test_three_at_once_are_three_at_once_over_all_workers(tmp_path):
    go_on = asyncio.Event()

    async def held(call):
        await go_on.wait()
        await up.answer(call)

    async with (
        replicas(script=held) as (one,),
        crew(tmp_path, [one.url], workers=2, change=limited(concurrency=3)) as (gw, insides),
    ):
        made = await clients(gw, insides)
        asking = [asyncio.create_task(ask(client)) for client in made]
        await until(lambda: len(one.calls) == 3 and sum(task.done() for task in asking) == 17)
        go_on.set()
        answers = await asyncio.gather(*asking)
        assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 17
        assert {error_code(a) for a in answers if a.status == 429} == {"concurrency_exceeded"}
        (places,) = [p for p in (await admin(gw, "/levels/acme"))["concurrency"] if p["quota"] == "acme-all"]
        assert places["used"] == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer_is_the_same_as_from_one_process(tmp_path, stream):
    console = Console()
    async with (
        replicas() as (one,),
        crew(tmp_path, [one.url], own=tmp_path / "own", post=console) as (gw, insides),
    ):
        (client,) = await clients(gw, insides, 1)
        got = await ask(client, stream=stream)
        assert got.status == 200
        assert b'"service_tier":"default"' in got.body
        assert got.headers["x-headway-tier-served"] == "default"
        assert got.headers["x-ratelimit-limit-tokens"] == "50000000"
        explained = await explanation(gw, got)
        assert explained["outcome"] == "completed"
        assert explained["key_id"]
        assert [step["rule"] for step in explained["decision"]["steps"]][-1] == "R22"
        assert explained["charge"]["tokens"]["output"] == 3
        times = explained["timings_us"]
        assert times["decided"] <= times["placed"] <= times["first_byte"] <= times["finished"]
        page = await admin(gw, "/metrics")
        assert 'headway_requests_total{status="200",code="",tier="standard"} 1' in page
        assert "headway_workers 2" in page
        await until(lambda: console.events)
    (event,) = console.events
    assert (event.kind, event.outcome, event.counted_by, event.output) == (
        "settled",
        "completed",
        "engine",
        3,
    )
    assert event.request_id == got.headers["x-request-id"]


async def test_what_a_worker_refuses_by_itself_is_explained_and_counted(tmp_path):
    async with replicas() as (one,), crew(tmp_path, [one.url]) as (gw, insides):
        (client,) = await clients(gw, insides, 1)
        got = await ask(client, model="gpt-9")
        assert got.status == 404
        explained = await explanation(gw, got)
        assert (explained["code"], explained["tenant"], explained["model"]) == (
            "model_not_found",
            "acme",
            "gpt-9",
        )
        assert 'status="404",code="model_not_found"' in await admin(gw, "/metrics")


async def test_a_failed_attempt_is_tried_elsewhere(tmp_path):
    async def die(call):
        call.die()

    console = Console()
    async with (
        replicas(2) as (bad, good),
        crew(tmp_path, [bad.url, good.url], own=tmp_path / "own", post=console) as (gw, insides),
    ):
        bad.script = die
        (client,) = await clients(gw, insides, 1)
        answers = [await ask(client) for _ in range(2)]
        assert [answer.status for answer in answers] == [200, 200]
        await until(lambda: sum(event.kind == "settled" for event in console.events) == 2)
    by_replica = {(event.replica == bad.url, event.kind) for event in console.events}
    assert by_replica == {(True, "failed"), (False, "settled")}


async def test_one_that_waits_is_served_by_its_own_worker_when_another_makes_room(tmp_path):
    go_on = asyncio.Event()

    async def held(call):
        await go_on.wait()
        await up.answer(call)

    async with replicas(script=held) as (one,), crew(tmp_path, [one.url], sequences=1) as (gw, insides):
        made = await clients(gw, insides)
        first, second = (of_worker(made, worker)[0] for worker in insides.workers)
        asking = asyncio.create_task(ask(first))
        await until(lambda: one.calls)
        waiting = asyncio.create_task(ask(second))
        await until(lambda: gw.coordinator.queue_depths().total() == 1)
        go_on.set()
        assert (await asking).status == (await waiting).status == 200


async def test_a_client_that_leaves_the_queue_is_forgotten(tmp_path):
    async def held(call):
        await call.gone.wait()

    async with replicas(script=held) as (one,), crew(tmp_path, [one.url], sequences=1) as (gw, insides):
        made = await clients(gw, insides)
        await made[0].send(chat_request(chat_body()))
        await until(lambda: one.calls)
        await made[1].send(chat_request(chat_body()))
        await until(lambda: gw.coordinator.queue_depths().total() == 1)
        made[1].reset()
        await until(lambda: gw.coordinator.queue_depths().total() == 0)
        made[0].reset()
        await until(lambda: gw.workers.in_flight == 0)


async def test_a_killed_worker_gives_back_what_it_held_and_is_replaced(tmp_path):
    async def two_words(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await call.gone.wait()

    console = Console()
    async with (
        replicas(script=two_words) as (one,),
        crew(
            tmp_path,
            [one.url],
            change=limited(concurrency=4),
            own=tmp_path / "own",
            post=console,
        ) as (gw, insides),
    ):
        made = await clients(gw, insides)
        victim, other = insides.workers
        for client in (*of_worker(made, victim)[:2], *of_worker(made, other)[:2]):
            await client.send(chat_request(chat_body(stream=True)))
            await client.head()
        await until(lambda: gw.workers.in_flight == 4)
        next(inside for inside in insides.started if inside.worker is victim).kill()
        await until(lambda: gw.workers.in_flight == 2)
        (places,) = [p for p in (await admin(gw, "/levels/acme"))["concurrency"] if p["quota"] == "acme-all"]
        assert places["used"] == 2
        await until(lambda: len(console.events) == 2)
        assert {(event.kind, event.outcome) for event in console.events} == {("interrupted", "interrupted")}
        assert all(event.uncached_input > 0 for event in console.events)
        await until(lambda: all(state["serving"] for state in gw.workers.states()))
        one.script = up.answer
        again = await clients_of_new(gw, insides)
        assert (await ask(again)).status == 200
        assert gw.workers.restarts == 1
    assert len(console.events) == 5


async def clients_of_new(gw, insides):
    """A connection that the newest worker serves."""
    newest = insides.workers[-1]
    for _ in range(64):
        client = await RawClient.to(gw.front.port)
        await client.send(b"GET /v1/models HTTP/1.1\r\nhost: gw\r\n\r\n")
        await client.answer()
        if of_worker([client], newest):
            return client
        client.close()
    raise AssertionError("the kernel gave it nothing")


async def test_a_policy_is_in_force_for_all_workers_or_for_none(tmp_path):
    async with replicas() as (one,), crew(tmp_path, [one.url]) as (gw, insides):
        made = await clients(gw, insides)
        before = gw.active
        fresh = policy.records([one.url])
        packed = policy.bundle(limited(limit=1)(fresh))
        stopping = asyncio.Event()
        seen = []

        async def keep_asking(client):
            while not stopping.is_set():
                seen.append(await ask(client))

        asking = [asyncio.create_task(keep_asking(client)) for client in made[:6]]
        await until(lambda: len(seen) > 20)
        gw._activate(replace(before, digest=packed.digest, program=load(limited(limit=1)(fresh))))
        await until(lambda: gw.active.digest == packed.digest)
        await until(lambda: sum(answer.status == 429 for answer in seen) > 20)
        stopping.set()
        await asyncio.gather(*asking)
        old = [answer for answer in seen if answer.headers["x-headway-bundle"] == before.digest]
        new = [answer for answer in seen if answer.headers["x-headway-bundle"] == packed.digest]
        assert len(old) + len(new) == len(seen)
        assert {answer.status for answer in old} == {200}
        assert sum(answer.status == 200 for answer in new) == 1
        assert all(worker.remote.active.digest == packed.digest for worker in insides.workers)


async def test_a_worker_that_starts_later_serves_by_the_policy_in_force(tmp_path):
    async with replicas() as (one,), crew(tmp_path, [one.url]) as (gw, insides):
        gw._activate(replace(gw.active, directory=policy.directory(2, revoked=("acme",))))
        await until(lambda: gw.active.directory.serial == 2)
        insides.started[0].kill()
        await until(lambda: len(insides.workers) == 2 and gw.workers.restarts == 1)
        assert [worker.remote.active.directory.serial for worker in insides.workers] == [2, 2]
        made = await clients(gw, insides)
        assert {(await ask(client)).status for client in made} == {401}


async def test_a_stop_lets_answers_go_on_for_a_while_and_then_ends_them_saying_so(tmp_path):
    async def slow(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        await call.gone.wait()

    console = Console()
    async with replicas(script=slow) as (one,):
        async with crew(tmp_path, [one.url], own=tmp_path / "own", post=console) as (gw, insides):
            (client,) = await clients(gw, insides, 1)
            await client.send(chat_request(chat_body(stream=True)))
            await client.head()
        body = b"".join([chunk async for chunk in client.chunks()])
        assert json.loads(body.split(b"data: ")[-1])["error"]["code"] == "gateway_stopping"
        assert not insides.workers
    (event,) = console.events
    assert (event.kind, event.outcome) == ("settled", "failed")


async def test_workers_speak_tls_under_the_same_certificate(tmp_path):
    pem = self_signed(tmp_path)
    async with (
        replicas() as (one,),
        crew(tmp_path, [one.url], options={"tls_cert": pem, "tls_key": pem}) as (gw, _),
    ):
        trusted = ssl.create_default_context(cafile=str(pem))
        for _ in range(6):
            client = RawClient(*await asyncio.open_connection("127.0.0.1", gw.front.port, ssl=trusted))
            assert (await ask(client)).status == 200
            client.close()
        assert len(one.calls) == 6


async def test_a_port_that_another_gateway_shares_among_its_workers_is_taken(tmp_path):
    async with replicas() as (one,), crew(tmp_path, [one.url]) as (gw, _):
        (tmp_path / "other").mkdir()
        with pytest.raises(CannotListen, match=str(gw.front.port)):
            async with crew(tmp_path / "other", [one.url], options={"port": gw.front.port}):
                pass
