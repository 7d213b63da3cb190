"""What does a program say of one tenant, quota or reservation? Read only, and equal to none but itself.

There are tens of thousands of them: they are structs, which are made quickest, and lead back to nothing, so
that the collector leaves them alone.
"""

from __future__ import annotations

import msgspec

from coordination.program.records import (
    CapsRecord,
    DelegationRecord,
    GuardsRecord,
    LimitRecord,
    ObjectiveRecord,
    Ppm,
    ReservationRecord,
)


class Tenant(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    path: tuple[str, ...]
    """Names of the ancestors that exist, outermost first, ending with its own."""
    tiers: frozenset[str]
    default_tier: str
    zone: str
    inner: bool
    """Has children, so its own traffic is an implicit leaf beside them."""


class Quota(msgspec.Struct, frozen=True, eq=False, gc=False):
    index: int
    name: str
    tenant: str
    tiers: frozenset[str]
    models: frozenset[str]
    weight_ppm: Ppm
    limits: tuple[LimitRecord, ...]
    concurrency: int | None
    session: GuardsRecord | None
    run: GuardsRecord | None
    caps: CapsRecord | None
    zone: str
    delegation: DelegationRecord | None = None

    @property
    def made(self) -> bool:
        """Not of the policy, but for a team whose limits were set and that the policy has no quota for."""
        return self.index < 0

    def covers(self, tier: str, model: str) -> bool:
        return (not self.tiers or tier in self.tiers) and (not self.models or model in self.models)

    @property
    def narrowness(self) -> tuple[bool, bool, int]:
        """Orders the quotas of one tenant from the widest scope to the most specific."""
        return (bool(self.models), bool(self.tiers), -self.index)


class Reservation(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A reservation on one pool. One that is divided over pools has one of these on each."""

    index: int
    key: str
    """Tells it from every other: its name, with the pool where there are several."""
    name: str
    """The document's."""
    tenant: str
    pool: str
    tier: str
    input_per_minute: int
    """Promised by this pool, as the next."""
    output_per_minute: int
    share_ppm: Ppm
    """x_r of R8: what part of the pool it takes."""
    ttft: tuple[ObjectiveRecord, ...]
    """What its tier promises, and it therefore to what conforms (R8)."""
    record: ReservationRecord
