"""How far is a release, gateway by gateway, and what was changed by it?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from console.mapping.comparing import Changed, changed_objects
from coordination.bundle.tree import EMPTY
from delivery.models import GatewayState, Pointer, Release
from fleet.models import Gateway
from policies.mapping.bundles import root_tree_of
from policies.models import Bundle

LATE_SECONDS = 90
"""A gateway reports every 30 s: silent for three reports, it is no longer taken at its word."""
SHORT = 19


@dataclass(frozen=True, slots=True)
class Standing:
    """One gateway against what it should run."""

    gateway: Gateway
    wanted: str
    """Digest of the bundle its ring should run; empty when nothing was released."""
    said: GatewayState | None
    now: datetime

    @property
    def age(self) -> int | None:
        """Seconds since it last said anything."""
        return None if self.said is None else max(0, int((self.now - self.said.reported_at).total_seconds()))

    @property
    def runs_it(self) -> bool:
        return self.said is not None and bool(self.wanted) and self.said.applied == self.wanted

    @property
    def state(self) -> str:
        """``ok``, ``warn`` (on its way, or silent), ``bad`` (refuses) or ``unknown`` (never heard of)."""
        if self.said is None:
            return "unknown"
        if self.said.error_code and self.said.applied != self.wanted:
            return "bad"
        if self.age is not None and self.age > LATE_SECONDS:
            return "warn"
        return "ok" if self.runs_it else "warn"

    @property
    def words(self) -> str:
        if self.said is None:
            return "Not heard of yet"
        if self.state == "bad":
            return "Refuses it"
        if self.state == "ok":
            return "Runs it"
        return "Silent" if self.age is not None and self.age > LATE_SECONDS else "On its way"

    @property
    def message(self) -> str:
        error = self.said.error if self.said else {}
        return str(error.get("message", "")) if isinstance(error, dict) else ""


def standings(
    gateways: Iterable[Gateway], pointers: Iterable[Pointer], now: datetime, *, wanted: str | None = None
) -> list[Standing]:
    """Each gateway against its ring's pointer, or against the bundle ``wanted``."""
    by_ring = {pointer.ring_id: pointer.bundle for pointer in pointers}
    return [
        Standing(
            gateway,
            by_ring.get(gateway.ring_id, "") if wanted is None else wanted,
            getattr(gateway, "state", None),
            now,
        )
        for gateway in gateways
    ]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of the gateways run what they should."""

    active: int
    all: int
    refusing: int

    @property
    def state(self) -> str:
        if self.refusing:
            return "bad"
        return "ok" if self.all and self.active == self.all else "warn" if self.all else "unknown"


def tally(rows: Sequence[Standing]) -> Tally:
    return Tally(
        active=sum(
            1 for row in rows if row.said is not None and row.wanted and row.said.applied == row.wanted
        ),
        all=len(rows),
        refusing=sum(1 for row in rows if row.state == "bad"),
    )


def what_changes(before: Bundle | None, after: Bundle | None) -> list[Changed]:
    """The objects that differ between the documents two bundles were made of."""
    return changed_objects(_root(before), _root(after))


def _root(bundle: Bundle | None) -> str:
    return root_tree_of(bytes(bundle.manifest)) if bundle else EMPTY


def state_of(release: Release) -> str:
    """A release's state as a shape and colour."""
    return {
        Release.State.RUNNING.value: "warn",
        Release.State.DONE.value: "ok",
        Release.State.REFUSED.value: "bad",
    }.get(release.state, "unknown")
