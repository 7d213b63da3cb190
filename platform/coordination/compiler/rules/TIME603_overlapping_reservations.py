"""TIME603: a tenant holds two reservations on one pool and tier at the same time."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.reporting import report, see
from coordination.compiler.rules.CAP201_oversold_pool import window
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Reservation
from coordination.spec.quantities import write_instant

RULE = Rule("TIME603", "warning", "Reservations overlap")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """In order of beginning, each is compared with the one that lasts longest so far."""
    groups: dict[tuple[str, str, str], list[Entry[Reservation]]] = {}
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        groups.setdefault((spec.tenant, spec.pool, spec.tier), []).append(reservation)
    for (tenant, pool, tier), group in groups.items():
        longest: Entry[Reservation] | None = None
        for reservation in sorted(group, key=lambda r: (window(r.spec), r.name)):
            start, end = window(reservation.spec)
            if start >= end or end <= catalogue.at:
                continue
            if longest is not None and start < window(longest.spec)[1]:
                since = f"from {write_instant(start)}" if start else "from the beginning"
                yield report(
                    RULE,
                    reservation.document,
                    "/metadata/name",
                    f"`{longest.name}` and `{reservation.name}` both promise `{tenant}` throughput "
                    f"in tier `{tier}` on `{pool}` {since}",
                    related=(see(longest.document, "/metadata/name", "the other reservation"),),
                    notes=("Both count. One reservation with the sum is easier to read.",),
                )
            if longest is None or end > window(longest.spec)[1]:
                longest = reservation
