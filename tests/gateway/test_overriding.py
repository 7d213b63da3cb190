"""A bad night at one gateway: measures by its pointer, or signed by hand and given to its admin port."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from typing import Any

import msgspec
import pytest

from coordination.bundle.keys import SigningKey
from coordination.bundle.overrides import Override, Statement, sign_override
from coordination.bundle.pointer import FILE as POINTER
from coordination.bundle.pointer import open_pointer, sign_pointer
from tests.gateway.policy import KEYS, SIGNER, bundle, records, state_files
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import (
    admin,
    chat_body,
    chat_request,
    error_code,
    explanation,
    gateway,
    post,
    write_state,
)
from tests.gateway.upstream import answer, replicas

numbers = itertools.count(1)
replace = msgspec.structs.replace
SECOND = 1_000_000


def measure(kind: str, subject: str = "", *, lasts: int = 600 * SECOND, **more: Any) -> Override:
    now = time.time_ns() // 1000
    return Override(
        id=f"ovr_{next(numbers):08d}",
        kind=kind,  # type: ignore[arg-type]
        subject=subject,
        issued_at=now,
        expires_at=now + lasts,
        reason="a bad night",
        by="ada",
        **more,
    )


def signed(override: Override, key: SigningKey = SIGNER, environment: str = "dev") -> bytes:
    return sign_override(Statement(environment=environment, override=override), [key])


def ended(override: Override) -> Override:
    now = max(time.time_ns() // 1000, override.issued_at + 1)
    return replace(override, issued_at=now, expires_at=now)


async def give(gw, envelope: bytes) -> tuple[int, Any]:
    client = await RawClient.to(gw.admin.port)
    head = f"POST /overrides HTTP/1.1\r\nhost: a\r\ncontent-length: {len(envelope)}\r\n\r\n"
    await client.send(head.encode() + envelope)
    found = await client.answer()
    client.close()
    return found.status, json.loads(found.body)


async def enforce(gw, override: Override) -> Override:
    status, told = await give(gw, signed(override))
    assert status == 200, told
    return override


def carrying(
    overrides: tuple[Override, ...], urls: list[str], serial: int, **policy: Any
) -> dict[str, bytes]:
    """A state folder whose pointer carries these."""
    files = state_files(bundle(records(urls, **policy)), serial=serial)
    pointer = open_pointer(files[POINTER], {SIGNER.key_id: SIGNER.public})
    return {**files, POINTER: sign_pointer(replace(pointer, overrides=overrides), [SIGNER])}


async def test_a_blocked_tenant_is_refused_by_name_and_what_it_has_running_is_left_alone(tmp_path):
    held = asyncio.Event()

    async def later(call):
        await held.wait()
        await answer(call)

    async with replicas(script=later) as (one,), gateway(tmp_path, [one.url]) as gw:
        running = asyncio.ensure_future(post(gw))
        await until(lambda: one.calls)
        block = await enforce(gw, measure("block_tenant", "acme"))
        refused = await post(gw)
        assert (refused.status, error_code(refused)) == (403, "tenant_blocked")
        assert f"{block.id} (a bad night)" in refused.body.decode()
        told = await explanation(gw, refused)
        assert (told["tenant"], told["key_id"], told["code"]) == (
            "acme",
            KEYS["acme"].key_id,
            "tenant_blocked",
        )
        held.set()
        assert (await running).status == 200
        assert (await post(gw, key="tight")).status == 200, "nobody else is touched"
        await enforce(gw, ended(block))
        assert (await post(gw)).status == 200


async def test_a_block_meets_a_connection_that_is_open_already(tmp_path):
    """Heads that came before are not parsed anew: they are looked at all the same."""
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        for _ in range(3):
            await client.send(chat_request(chat_body()))
            assert (await client.answer()).status == 200
        block = await enforce(gw, measure("block_key", KEYS["acme"].key_id))
        await client.send(chat_request(chat_body()))
        refused = await client.answer()
        assert (refused.status, error_code(refused)) == (401, "key_blocked")
        assert "www-authenticate" in refused.headers
        client.close()
        await enforce(gw, ended(block))
        assert (await post(gw)).status == 200


async def test_a_block_covers_all_below_and_nothing_that_only_begins_alike():
    from coordination.bundle.directory import KeyFacts
    from gateway.blocks import Blocks

    blocks = Blocks({"acme": "ovr_1 (abuse)"}, {})

    def code(tenant):
        found = blocks.problem(KeyFacts(key_id="abcdefghij", tenant=tenant, scopes=(), expires_at=None))
        return found and found.code

    assert code("acme/team/one") == code("acme") == "tenant_blocked"
    assert code("acme-labs") is None


@pytest.mark.parametrize(
    ("envelope", "status", "code"),
    [
        (
            lambda: signed(measure("block_tenant", "acme"), SigningKey.from_seed(b"x" * 32)),
            403,
            "unknown_key",
        ),
        (lambda: signed(measure("block_tenant", "acme"), environment="prod"), 403, "wrong_environment"),
        (lambda: signed(measure("block_tenant", "acme", lasts=-1)), 422, "override_expired"),
        (
            lambda: signed(
                measure("raise_limit", "acme-all:total_tokens:1m", amount_ppm=1_500_000, approved_by="bob")
            ),
            403,
            "threshold_not_met",
        ),
        (lambda: b"{}", 400, "malformed_envelope"),
        (lambda: b"", 400, "malformed_envelope"),
    ],
)
async def test_what_is_not_signed_for_this_gateway_changes_nothing(tmp_path, envelope, status, code):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        found, told = await give(gw, envelope())
        assert (found, told["error"]["code"]) == (status, code)
        assert (await admin(gw, "/overrides"))["overrides"] == []
        assert (await post(gw)).status == 200


async def test_it_outlives_a_restart_and_cannot_be_replayed_after_its_lift(tmp_path):
    own = tmp_path / "own"
    block = measure("block_tenant", "acme")
    async with replicas() as (one,):
        async with gateway(tmp_path, [one.url], own=own) as gw:
            await enforce(gw, block)
            assert (await admin(gw, "/overrides"))["kept"] is True
        async with gateway(tmp_path, [one.url], own=own) as gw:
            assert (await post(gw)).status == 403
            await enforce(gw, ended(block))
            assert (await post(gw)).status == 200
        async with gateway(tmp_path, [one.url], own=own) as gw:
            assert (await post(gw)).status == 200
            status, told = await give(gw, signed(block))
            assert (status, told["error"]["code"]) == (409, "override_replayed")


async def test_a_damaged_file_of_overrides_is_no_reason_not_to_start(tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    (own / "overrides.json").write_bytes(b"{")
    async with replicas() as (one,), gateway(tmp_path, [one.url], own=own) as gw:
        assert (await post(gw)).status == 200


async def test_it_ends_by_itself(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        await enforce(gw, measure("block_tenant", "acme", lasts=SECOND // 2))
        assert (await post(gw)).status == 403
        await until(lambda: gw.plane.blocks is None)
        assert (await post(gw)).status == 200


async def test_a_pointer_carries_them_and_the_next_one_takes_them_back(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        twice = measure("raise_limit", "acme-all:total_tokens:1m", amount_ppm=2_000_000, approved_by="bob")
        block = measure("block_tenant", "tight")
        write_state(tmp_path / "state", carrying((block, twice), [one.url], 2))
        await until(lambda: len(gw.overrides.in_force) == 2)
        assert error_code(await post(gw, key="tight")) == "tenant_blocked"
        (shown,) = (await admin(gw, "/levels/acme"))["limits"]
        assert shown["limit"] == 100_000_000
        listed = (await admin(gw, "/readyz"))["overrides"]
        assert [(o["kind"], o["from"]) for o in listed] == [
            ("block_tenant", "pointer"),
            ("raise_limit", "pointer"),
        ]
        page = await admin(gw, "/metrics")
        assert (
            f'headway_override_expires_seconds{{id="{block.id}",kind="block_tenant",subject="tight"}}' in page
        )
        told = await explanation(gw, await post(gw))
        room = [step["facts"]["meters"] for step in told["decision"]["steps"] if "meters" in step["facts"]]
        assert twice.id in room[0][0]
        write_state(tmp_path / "state", carrying((), [one.url], 3))
        await until(lambda: not gw.overrides.in_force)
        assert (await post(gw, key="tight")).status == 200
        (shown,) = (await admin(gw, "/levels/acme"))["limits"]
        assert shown["limit"] == 50_000_000


async def test_a_drained_pool_ends_what_it_has_and_refuses_what_waits(tmp_path):
    held = asyncio.Event()

    async def later(call):
        await held.wait()
        await answer(call)

    async with replicas(script=later) as (one,), gateway(tmp_path, [one.url], sequences=1) as gw:
        running, waiting = asyncio.ensure_future(post(gw)), asyncio.ensure_future(post(gw))
        await until(lambda: gw.coordinator.queue_depths())
        drain = await enforce(gw, measure("drain_pool", "chat-a"))
        refused = await waiting
        assert (refused.status, error_code(refused)) == (503, "capacity_exceeded")
        assert f"{drain.id} (a bad night)" in refused.body.decode()
        assert "retry-after" in refused.headers
        said = [step["says"] for step in (await explanation(gw, refused))["decision"]["steps"]]
        assert any("leaves pool chat-a" in line for line in said)
        held.set()
        assert (await running).status == 200
        await enforce(gw, ended(drain))
        assert (await post(gw)).status == 200


async def test_a_drained_replica_is_left_to_end_what_it_has_also_under_another_policy(tmp_path):
    async with replicas(2) as (one, two), gateway(tmp_path, [one.url, two.url]) as gw:
        drain = await enforce(gw, measure("drain_replica", one.url))
        for _ in range(4):
            assert (await post(gw)).status == 200
        assert (len(one.calls), len(two.calls)) == (0, 4)
        write_state(tmp_path / "state", carrying((), [one.url, two.url], 2, standard_wait=29 * SECOND))
        await until(lambda: gw.active.pointer["serial"] == 2)
        await post(gw)
        assert (len(one.calls), len(two.calls)) == (0, 5)
        await enforce(gw, ended(drain))
        for _ in range(4):
            await post(gw)
        assert one.calls


async def test_frozen_it_keeps_its_bundle_and_hears_what_else_a_pointer_says(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        before = gw.active.digest
        freeze = await enforce(gw, measure("freeze_releases"))
        block = measure("block_tenant", "tight")
        write_state(tmp_path / "state", carrying((block,), [one.url], 2, standard_wait=29 * SECOND))
        await until(lambda: len(gw.overrides.in_force) == 2)
        assert gw.active.digest == before
        assert (await admin(gw, "/readyz"))["refused"]["code"] == "releases_frozen"
        assert error_code(await post(gw, key="tight")) == "tenant_blocked"
        await enforce(gw, ended(freeze))
        await until(lambda: gw.active.digest != before)


async def test_requests_are_held_for_a_pool_that_wakes(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url], standard_wait=SECOND // 2) as gw:
        drain = await enforce(gw, measure("drain_replica", one.url))
        await enforce(gw, measure("wake_pool", "chat-a", lasts=60 * SECOND))
        waiting = asyncio.ensure_future(post(gw))
        await asyncio.sleep(0.8)
        assert not waiting.done(), "longer than its tier would have it wait"
        await enforce(gw, ended(drain))
        assert (await waiting).status == 200
