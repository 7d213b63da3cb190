"""What does each tier promise, and to whom? One line a tier, out of the documents that make the contract."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from coordination.spec import Document
from coordination.spec.quantities import MILLION, write_count, write_duration, write_ppm


@dataclass(frozen=True, slots=True)
class Contract:
    """One tier as its customers meet it."""

    tier: str
    about: str
    answers_to: tuple[str, ...]
    band: int
    max_wait: str
    max_depth: str
    overflow: str
    tenants: tuple[str, ...]
    """Entitled to it."""
    reservations: int
    reserved_input: str
    """Tokens a minute of all its reservations; empty when there are none."""
    reserved_output: str
    multiplier: str
    """Factor on list prices."""


def contracts(documents: Iterable[Document]) -> list[Contract]:
    """Every tier, the highest band first."""
    known = list(documents)
    tiers = sorted((d for d in known if d.kind == "Tier"), key=lambda d: (-d.spec.band, d.name))
    multipliers: dict[str, int] = {}
    for book in (d for d in known if d.kind == "PriceBook"):
        multipliers |= book.spec.tier_multipliers
    return [_contract(tier, known, multipliers.get(tier.name, MILLION)) for tier in tiers]


def _contract(tier: Document, known: list[Document], multiplier: int) -> Contract:
    spec = tier.spec
    held = [d.spec.throughput for d in known if d.kind == "Reservation" and d.spec.tier == tier.name]
    overflow = spec.overflow
    return Contract(
        tier=tier.name,
        about=tier.metadata.description,
        answers_to=spec.service_tier or (tier.name,),
        band=spec.band,
        max_wait=write_duration(spec.queue.max_wait),
        max_depth=str(write_count(spec.queue.max_depth)),
        overflow=f"downgrade to {overflow.tier}" if overflow.tier else overflow.action,
        tenants=tuple(d.name for d in known if d.kind == "Tenant" and tier.name in d.spec.tiers),
        reservations=len(held),
        reserved_input=_tokens(each.input for each in held),
        reserved_output=_tokens(each.output for each in held),
        multiplier=f"{write_ppm(multiplier)} ×",
    )


def _tokens(rates: Iterable[int]) -> str:
    total = sum(rates)
    return str(write_count(total)) if total else ""
