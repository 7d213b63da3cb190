"""A policy small enough to reason about, and the files a gateway is given it in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from coordination.bundle.apikeys import mint
from coordination.bundle.directory import Credit, Directory, new_entry
from coordination.bundle.keys import SigningKey
from coordination.bundle.pack import PackedBundle, pack
from coordination.bundle.state_folder import make_embedded_state
from coordination.program.index import load
from coordination.program.records import (
    CostVector,
    GuardsRecord,
    LimitRecord,
    ModelRecord,
    Overflow,
    Placement,
    PoolCapacity,
    PoolRecord,
    ProgramRecords,
    QuotaRecord,
    Retries,
    RouteMatch,
    RouteRecord,
    RouteTarget,
    TenantRecord,
    TierQueue,
    TierRecord,
    Timeouts,
    Vector,
    VectorRequest,
)
from coordination.program.source_map import SourceMap
from coordination.scheduling import evaluate

SIGNER = SigningKey.from_seed(b"s" * 32)
SECOND = 1_000_000
REFUSE = Overflow(action="refuse", tier=None)

HOLDERS = ("acme", "tight", "nobody", "revoked", "reader")
KEYS = {name: mint(bytes([number]) * 39) for number, name in enumerate(HOLDERS)}
"""Tenant (or what is wrong with the key) -> the key."""


def secret(name: str) -> str:
    return KEYS[name].secret


def tier(name: str, service_tier: tuple[str, ...], band: int, max_wait: int = 30 * SECOND, depth: int = 64):
    return TierRecord(
        name=name,
        service_tier=service_tier,
        band=band,
        queue=TierQueue(max_wait=max_wait, max_depth=depth),
        overflow=REFUSE,
        cache_sharing="tenant",
    )


def tenant(name: str, tiers: tuple[str, ...]) -> TenantRecord:
    return TenantRecord(
        name=name, display_name=name, tiers=tiers, default_tier=tiers[0], zone="UTC", labels={}
    )


def quota(
    name: str,
    owner: str,
    limits: tuple[LimitRecord, ...] = (),
    concurrency: int | None = None,
    run: GuardsRecord | None = None,
):
    return QuotaRecord(
        name=name,
        tenant=owner,
        tiers=(),
        models=(),
        weight_ppm=1_000_000,
        limits=limits,
        concurrency=concurrency,
        run=run,
    )


def records(
    replicas: Sequence[str],
    *,
    sequences: int = 64,
    first_byte: int = 20 * SECOND,
    total: int = 60 * SECOND,
    attempts: int = 2,
    standard_wait: int = 30 * SECOND,
    at: int = 1_700_000_000 * SECOND,
    run: GuardsRecord | None = None,
) -> ProgramRecords:
    """One model and pool. ``acme`` may use standard and priority; ``tight`` one request a minute, one at
    a time, in standard only. ``flex`` is nobody's."""
    return ProgramRecords(
        environment="dev",
        at=at,
        models=(
            ModelRecord(
                name="llama-3-8b",
                served_name="llama-3-8b",
                aliases=("llama",),
                context_window=8192,
                max_output=2048,
                cost=CostVector(uncached_input_ppm=1_000_000, cached_input_ppm=100_000, output_ppm=2_000_000),
            ),
            ModelRecord(
                name="unrouted",
                served_name="unrouted",
                aliases=(),
                context_window=8192,
                max_output=2048,
                cost=CostVector(uncached_input_ppm=1_000_000, cached_input_ppm=100_000, output_ppm=2_000_000),
            ),
        ),
        pools=(
            PoolRecord(
                name="chat-a",
                model="llama-3-8b",
                region="eu",
                engine="simulated",
                profile="llama-3-8b-h100-tp1",
                replicas=tuple(replicas),
                capacity=PoolCapacity(
                    input_tokens_per_minute=6_000_000,
                    output_tokens_per_minute=600_000,
                    sequences=sequences,
                    kv_tokens=500_000,
                ),
                reservable_ppm=800_000,
            ),
        ),
        tenants=(tenant("acme", ("standard", "priority")), tenant("tight", ("standard",))),
        tiers=(
            tier("flex", ("flex",), 100),
            tier("priority", ("priority", "fast"), 300),
            tier("standard", ("default", "standard"), 200, standard_wait),
        ),
        reservations=(),
        quotas=(
            quota("acme-all", "acme", (LimitRecord(of="total_tokens", per="1m", limit=50_000_000),), run=run),
            quota("tight-all", "tight", (LimitRecord(of="requests", per="1m", limit=1),), concurrency=1),
        ),
        price_books=(),
        routes=(
            RouteRecord(
                name="chat",
                rank=1,
                match=RouteMatch(
                    models=("llama-3-8b",), tiers=(), tenants=(), prompt_tokens_min=0, prompt_tokens_max=None
                ),
                targets=(RouteTarget(pool="chat-a", weight=1),),
                placement=Placement(strategy="round_robin", release_after=SECOND),
                fallback=(),
                timeouts=Timeouts(first_byte=first_byte, total=total),
                retries=Retries(attempts=attempts, on=("connect", "status_503")),
            ),
        ),
    )


def vectors(policy: ProgramRecords) -> list[Vector]:
    request = VectorRequest(
        tenant="acme", service_tier="auto", model="llama-3-8b", prompt_tokens=100, at=policy.at
    )
    return [Vector(name="acme", request=request, expect=evaluate(load(policy), request))]


def bundle(policy: ProgramRecords, tests: list[Vector] | None = None) -> PackedBundle:
    return pack(
        policy,
        SourceMap(()),
        vectors(policy) if tests is None else tests,
        root_tree="sha256:" + "0" * 64,
        compiler="test",
        tzdata="2025.1",
    )


def directory(
    serial: int = 1,
    revoked: tuple[str, ...] = (),
    shares: dict[str, int] | None = None,
    credits: tuple[Credit, ...] = (),  # noqa: A002 - the field's name
    limits: Any = None,
) -> Directory:
    keys = {}
    for name, (full, key_id) in KEYS.items():
        owner = name if name in ("acme", "tight") else "stranger" if name == "nobody" else "acme"
        scopes = ("usage.read",) if name == "reader" else ("inference",)
        entry = new_entry(full, tenant=owner, scopes=scopes)
        if name == "revoked" or name in revoked:
            entry = new_entry(full, tenant=owner, scopes=scopes)
            entry = type(entry)(
                sha256=entry.sha256, tenant=owner, scopes=scopes, expires_at=None, revoked_at=1
            )
        keys[key_id] = entry
    return Directory(
        environment="dev",
        serial=serial,
        route_salt="ab" * 16,
        keys=keys,
        shares=shares or {},
        credits=credits,
        limits=limits or {},
    )


def state_files(
    packed: PackedBundle,
    *,
    serial: int = 1,
    revoked: tuple[str, ...] = (),
    shares: dict[str, int] | None = None,
    credits: tuple[Credit, ...] = (),  # noqa: A002 - the field's name
    limits: Any = None,
) -> dict[str, bytes]:
    return make_embedded_state(
        bundle=packed,
        directory=directory(serial, revoked, shares, credits, limits),
        key=SIGNER,
        ring="0",
        serial=serial,
        version=serial,
        issued_at=time.time_ns() // 1000,
        lifetime=3600 * SECOND,
    )


def renamed_pool(policy: ProgramRecords, name: str) -> ProgramRecords:
    """The same policy with its pool under another name."""
    (pool,), (route,) = policy.pools, policy.routes
    return replace(
        policy,
        pools=(replace(pool, name=name),),
        routes=(replace(route, targets=(RouteTarget(pool=name, weight=1),)),),
    )
