"""What should a gateway find when it tries this policy before it activates it?

Requests are drawn from the policy itself: everyone who may ask, in every tier, of every model; every
reservation and every route; and some that must be refused. What is expected of each is what the
scheduling rules say on an idle fleet, today: a gateway that finds otherwise reads the policy otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from coordination.program.index import Program
from coordination.program.records import (
    Micros,
    ProgramRecords,
    RouteRecord,
    TenantRecord,
    Vector,
    VectorRequest,
)
from coordination.scheduling import evaluate

MOST_VECTORS = 256
PROMPT = 200
"""Tokens of a request about whose length the policy says nothing."""
NOBODY = "model-that-nobody-serves"


def self_test(program: Program, authored: Sequence[Vector] = ()) -> list[Vector]:
    """At most 256 vectors drawn from the program and all ``authored`` ones; sorted by name.

    The same for the same program and the same expectations.
    """
    records = program.records
    shuffled = _shuffled(records)
    wanted = chain(
        _of_reservations(records),
        _of_routes(records),
        _of_refusals(records, shuffled),
        _of_entitlements(records, shuffled),
    )
    asked = {vector.request for vector in authored}
    distinct: dict[VectorRequest, str] = {}
    for name, request in wanted:
        if request not in asked:
            distinct.setdefault(request, name)
        if len(distinct) == MOST_VECTORS:
            break
    vectors = [Vector(name=name, request=r, expect=evaluate(program, r)) for r, name in distinct.items()]
    return sorted([*authored, *vectors], key=lambda vector: vector.name)


Named = tuple[str, VectorRequest]


def _of_reservations(records: ProgramRecords) -> Iterator[Named]:
    """The holder's request as each reservation begins, and as it ends for the first time."""
    said = _service_tiers(records)
    models = {pool.name: pool.model for pool in records.pools}
    served = _served_names(records)
    for reservation in islice(records.reservations, MOST_VECTORS // 4):
        begun, ended = reservation.intervals[0]
        model = served[models[reservation.portions[0].pool]]
        start = max(records.at, begun)
        yield (
            f"reservation {reservation.name}",
            _request(reservation.tenant, said[reservation.tier], model, start),
        )
        if ended is not None:
            yield (
                f"reservation {reservation.name} ended",
                _request(reservation.tenant, said[reservation.tier], model, ended),
            )


def _of_routes(records: ProgramRecords) -> Iterator[Named]:
    """The shortest request each route is written for."""
    tenants = {tenant.name: tenant for tenant in records.tenants}
    for route in islice(records.routes, MOST_VECTORS // 4):
        request = _meant_for(route, records, tenants)
        if request is not None:
            yield f"route {route.name}", request


def _meant_for(
    route: RouteRecord, records: ProgramRecords, tenants: dict[str, TenantRecord]
) -> VectorRequest | None:
    match = route.match
    served, said = _served_names(records), _service_tiers(records)
    models = match.models or tuple(served)
    if not models:
        return None
    for tenant in [tenants[name] for name in match.tenants] or records.tenants:
        tier = next((t for t in tenant.tiers if not match.tiers or t in match.tiers), None)
        if tier is not None:
            low, high = match.prompt_tokens_min, match.prompt_tokens_max
            prompt = PROMPT if low <= PROMPT and (high is None or high > PROMPT) else low
            return _request(tenant.name, said[tier], served[models[0]], records.at, prompt)
    return None


def _of_refusals(records: ProgramRecords, tenants: Sequence[TenantRecord]) -> Iterator[Named]:
    """A model nobody serves, and tiers that tenants are not entitled to."""
    said, served = _service_tiers(records), _served_names(records)
    for tenant in islice(tenants, 8):
        yield f"refusal {tenant.name} unknown model", _request(tenant.name, "auto", NOBODY, records.at)
        for tier in said:
            if tier not in tenant.tiers and served:
                model = next(iter(served.values()))
                request = _request(tenant.name, said[tier], model, records.at)
                yield f"refusal {tenant.name} {tier}", request


def _of_entitlements(records: ProgramRecords, tenants: Sequence[TenantRecord]) -> Iterator[Named]:
    """Tenant x tier x model, tenant by tenant in an order that favours no name."""
    said, served = _service_tiers(records), _served_names(records)
    for tenant in tenants:
        for tier in tenant.tiers:
            for model, client_name in served.items():
                request = _request(tenant.name, said[tier], client_name, records.at)
                yield f"tenant {tenant.name} {tier} {model}", request


def _request(tenant: str, service_tier: str, model: str, at: Micros, prompt: int = PROMPT) -> VectorRequest:
    return VectorRequest(tenant=tenant, service_tier=service_tier, model=model, prompt_tokens=prompt, at=at)


def _shuffled(records: ProgramRecords) -> list[TenantRecord]:
    """Tenants by the hash of their names: a fair sample, the same on every machine."""
    return sorted(records.tenants, key=lambda t: hashlib.sha256(t.name.encode()).digest())


def _service_tiers(records: ProgramRecords) -> dict[str, str]:
    """Tier -> what a client says for it."""
    return {tier.name: tier.service_tier[0] for tier in records.tiers}


def _served_names(records: ProgramRecords) -> dict[str, str]:
    """Model -> what a client says for it."""
    return {model.name: model.served_name for model in records.models}
