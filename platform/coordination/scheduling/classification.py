"""What do the client's words mean: which model, which tier, the lane or not? (04, Classify)"""

from __future__ import annotations

from collections.abc import Callable

import xxhash

from coordination.program.index import Program, Tier
from coordination.scheduling.prefix_index import BLOCK_BYTES
from coordination.scheduling.values import Classified, Refusal

_digest: Callable[..., int] = xxhash.xxh3_64_intdigest


def classify(program: Program, tenant: str, service_tier: str | None, model: str) -> Classified | Refusal:
    """Resolve names and check entitlement.

    ``service_tier`` absent or ``auto`` is the tenant's default tier; ``scale`` asks for the
    reservation lane, in the tier of the tenant's reservation for this model.
    """
    found = program.models_by_client_name.get(model)
    if found is None:
        return Refusal(
            "model_not_found", f"The model `{model}` does not exist or you do not have access to it."
        )
    who = program.tenants.get(tenant)
    if who is None:
        return Refusal("tier_not_entitled", "This account has no place in the current policy.")
    adapter = model if model in program.adapters else ""
    if service_tier == "scale":
        tier = program.reserved_tier(who, found.name)
        if tier is None:
            return Refusal("tier_not_entitled", "service_tier `scale` needs a reservation for this model.")
        return Classified(found.name, tier.name, True, "scale", adapter)
    if service_tier is None or service_tier == "auto":
        tier = program.tiers[who.default_tier]
        return Classified(found.name, tier.name, False, _said(tier), adapter)
    answering = program.tiers_by_service_tier.get(service_tier)
    if answering is None:
        return Refusal("unknown_tier", f"Unknown service_tier `{service_tier}`.")
    for tier in answering:
        if tier.name in who.tiers:
            return Classified(found.name, tier.name, False, service_tier, adapter)
    return Refusal("tier_not_entitled", f"This account is not entitled to service_tier `{service_tier}`.")


def salt(program: Program, classified: Classified, tenant: str, process_salt: str | int) -> int:
    """Seed of the block hashes: prefixes are shared within a tenant, or within a pool if the tier says
    so, and never across models, their adapters or processes."""
    shared = program.tiers[classified.tier].shares_cache
    who = "" if shared else tenant
    return _digest(f"{process_salt}\0{classified.model}\0{classified.adapter}\0{who}".encode())


def block_hashes(text: bytes, salt: int) -> list[int]:
    """Chained xxh3-64 of each whole 512-byte block: equal hashes mean equal text up to there."""
    hashes: list[int] = []
    chained = salt
    view = memoryview(text)
    for at in range(0, len(text) - BLOCK_BYTES + 1, BLOCK_BYTES):
        chained = _digest(view[at : at + BLOCK_BYTES], chained)
        hashes.append(chained)
    return hashes


def _said(tier: Tier) -> str:
    return tier.service_tier[0] if tier.service_tier else tier.name
