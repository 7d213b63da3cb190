"""A block reaches every worker, also one that takes its seat later; drains are the parent's to see to."""

from __future__ import annotations

from tests.gateway.raw_client import until
from tests.gateway.running import admin, chat_body, chat_request, error_code, explanation
from tests.gateway.test_overriding import ended, enforce, measure
from tests.gateway.upstream import replicas
from tests.gateway.workers.inside import crew
from tests.gateway.workers.test_crew import ask, clients, clients_of_new, of_worker


async def test_whom_a_gateway_blocks_none_of_its_workers_serves(tmp_path):
    async with replicas() as (one,), crew(tmp_path, [one.url]) as (gw, insides):
        made = await clients(gw, insides)
        first, second = (of_worker(made, worker)[0] for worker in insides.workers)
        assert (await ask(first)).status == (await ask(second)).status == 200
        block = await enforce(gw, measure("block_tenant", "acme"))
        await until(lambda: all(worker.plane.blocks for worker in insides.workers))
        refused = [await ask(client) for client in (first, second)]
        assert [error_code(one) for one in refused] == ["tenant_blocked", "tenant_blocked"]
        assert (await explanation(gw, refused[0]))["code"] == "tenant_blocked"
        next(inside for inside in insides.started if inside.worker is insides.workers[0]).kill()
        await until(lambda: gw.workers.restarts == 1)
        assert error_code(await ask(await clients_of_new(gw, insides))) == "tenant_blocked"
        await enforce(gw, ended(block))
        await until(lambda: not any(worker.plane.blocks for worker in insides.workers))
        assert (await ask(second)).status == 200


async def test_what_waits_at_a_worker_for_a_drained_pool_is_told(tmp_path):
    async def held(call):
        await call.gone.wait()

    async with replicas(script=held) as (one,), crew(tmp_path, [one.url], sequences=1) as (gw, insides):
        made = await clients(gw, insides)
        await made[0].send(chat_request(chat_body()))
        await until(lambda: one.calls)
        await made[1].send(chat_request(chat_body()))
        await until(lambda: gw.coordinator.queue_depths().total() == 1)
        drain = await enforce(gw, measure("drain_pool", "chat-a"))
        refused = await made[1].answer()
        assert error_code(refused) == "capacity_exceeded"
        assert drain.id in refused.body.decode()
        assert [one["id"] for one in (await admin(gw, "/overrides"))["overrides"]] == [drain.id]
        made[0].reset()
