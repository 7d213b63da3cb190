"""Do requests go where their headers, sessions, regions and models say, with the pool's own key?"""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from coordination.program.records import AuthRecord, PoolCapacity, ProgramRecords, RouteTarget
from tests.gateway.policy import secret
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import chat_body, chat_request, error_code, explanation, gateway, post, put
from tests.gateway.upstream import answer, replicas


def two_pools(first: str, second: str, **match: object):
    """``chat-a`` for what matches, ``chat-b`` for the rest."""

    def change(records: ProgramRecords) -> ProgramRecords:
        (pool,), (route,) = records.pools, records.routes
        chosen = replace(route.match, **match)
        return replace(
            records,
            pools=(replace(pool, replicas=(first,)), replace(pool, name="chat-b", replicas=(second,))),
            routes=(
                replace(route, match=chosen),
                replace(route, name="rest", rank=2, targets=(RouteTarget(pool="chat-b", weight=1),)),
            ),
        )

    return change


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ({"headers": {"x-team": "search"}}, {"fields": "X-Team: search\r\n"}, {"fields": "x-team: ads\r\n"}),
        ({"session": True}, {"fields": "x-session-id: s\r\n"}, {}),
        ({"session": True}, {"prompt_cache_key": "k"}, {"fields": "x-session-id:\r\n"}),
        ({"session": False}, {}, {"fields": "x-session-id: s\r\n"}),
    ],
)
async def test_a_route_takes_what_it_asks_for_and_nothing_else(tmp_path, match, yes, no):
    async with (
        replicas(2) as (one, two),
        gateway(tmp_path, [one.url], change=two_pools(one.url, two.url, **match)) as gw,
    ):
        assert (await explanation(gw, await post(gw, **yes)))["decision"]["route"] == "chat"
        assert (await explanation(gw, await post(gw, **no)))["decision"]["route"] == "rest"
        assert (len(one.calls), len(two.calls)) == (1, 1)


@pytest.mark.parametrize(("region", "route"), [("eu", "chat"), ("us", "rest")])
async def test_a_route_may_be_for_the_gateways_of_a_region(tmp_path, region, route):
    async with (
        replicas(2) as (one, two),
        gateway(
            tmp_path,
            [one.url],
            change=two_pools(one.url, two.url, regions=("eu",)),
            options={"region": region},
        ) as gw,
    ):
        assert (await explanation(gw, await post(gw)))["decision"]["route"] == route


def with_adapter(records: ProgramRecords) -> ProgramRecords:
    model, unrouted = records.models
    return replace(records, models=(replace(model, adapters=("sql-lora",)), unrouted))


async def test_an_adapter_is_asked_for_by_its_name_under_the_policy_of_its_model(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url], change=with_adapter) as gw:
        got = await post(gw, model="sql-lora")
        assert one.calls[0].body["model"] == "sql-lora"
        assert (await explanation(gw, got))["decision"]["route"] == "chat"
        await post(gw, model="llama")
        assert one.calls[1].body["model"] == "llama-3-8b"
        client = await RawClient.to(gw.data.port)
        for path in ("/v1/models", "/v1/models/sql-lora"):
            head = f"GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {secret('acme')}\r\n\r\n"
            await client.send(head.encode())
        listed, shown = [json.loads((await client.answer()).body) for _ in range(2)]
        assert [entry["id"] for entry in listed["data"]] == ["llama-3-8b", "sql-lora"]
        assert shown["id"] == "sql-lora"


SLOW = PoolCapacity(input_tokens_per_minute=60, output_tokens_per_minute=60, sequences=1, kv_tokens=500_000)
"""One request at a time, and what waits waits long."""


def with_another_model(first: str, second: str):
    """``chat`` falls back to a pool of another model."""

    def change(records: ProgramRecords) -> ProgramRecords:
        (pool,), (route,), (model, other) = records.pools, records.routes, records.models
        return replace(
            records,
            models=(model, replace(other, served_name="org/other")),
            pools=(
                replace(pool, replicas=(first,), capacity=SLOW),
                replace(pool, name="chat-b", model="unrouted", replicas=(second,)),
            ),
            routes=(replace(route, fallback=("chat-b",)),),
            tiers=tuple(
                replace(tier, overflow=replace(tier.overflow, action="spill")) for tier in records.tiers
            ),
        )

    return change


async def test_a_fallback_that_serves_another_model_is_asked_for_that_model(tmp_path):
    async def never(call):
        await call.gone.wait()

    async with (
        replicas(2) as (one, two),
        gateway(tmp_path, [one.url], change=with_another_model(one.url, two.url)) as gw,
    ):
        one.script = never
        held = [await RawClient.to(gw.data.port) for _ in range(2)]
        for client in held:
            await client.send(chat_request(chat_body()))
        await until(lambda: len(one.calls) + len(two.calls) + gw.coordinator.queue_depths().total() == 2)
        got = await post(gw, temperature=0.5)
        assert got.status == 200
        assert (two.calls[-1].body["model"], two.calls[-1].body["temperature"]) == ("org/other", 0.5)
        assert one.calls[0].body["model"] == "llama-3-8b"


def with_key(auth: AuthRecord):
    def change(records: ProgramRecords) -> ProgramRecords:
        return replace(records, pools=(replace(records.pools[0], auth=auth),))

    return change


async def test_replicas_are_shown_the_key_of_their_pool_from_a_file_that_may_change(tmp_path):
    key = tmp_path / "key"
    key.write_text("first-key\n")
    change = with_key(AuthRecord(env=None, file=str(key)))
    async with replicas() as (one,), gateway(tmp_path, [one.url], change=change) as gw:
        await post(gw)
        assert "authorization: Bearer first-key\r\n" in one.calls[0].head
        key.write_text("the-second-key")
        gw.plane.credentials.follow(gw.active.program)
        await put(gw, "/v1/embeddings", input="a")
        assert "authorization: Bearer the-second-key\r\n" in one.calls[1].head
        assert secret("acme") not in one.calls[0].head
        assert gw.readiness()["credentials_missing"] == []
        key.unlink()
        gw.plane.credentials.follow(gw.active.program)
        assert gw.readiness()["credentials_missing"] == ["chat-a"]


async def test_a_key_that_is_missing_or_refused_is_ours_to_mend_and_not_the_clients(tmp_path, monkeypatch):
    async def refuse(call):
        if "authorization: Bearer good" in call.head:
            await answer(call)
        else:
            await call.whole(b'{"error":"Unauthorized"}', status="401 Unauthorized")

    monkeypatch.delenv("REPLICA_KEY", raising=False)
    change = with_key(AuthRecord(env="REPLICA_KEY", file=None))
    async with (
        replicas(script=refuse) as (one,),
        gateway(tmp_path, [one.url], change=change, attempts=0) as gw,
    ):
        got = await post(gw)
        assert (got.status, error_code(got)) == (502, "upstream_failed")
        assert gw.readiness()["credentials_missing"] == ["chat-a"]
    monkeypatch.setenv("REPLICA_KEY", "good")
    again = tmp_path / "again"
    again.mkdir()
    async with (
        replicas(script=refuse) as (one,),
        gateway(again, [one.url], change=change, attempts=0) as gw,
    ):
        assert (await post(gw)).status == 200
