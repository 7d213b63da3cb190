"""TIME603: a tenant holds two reservations on one pool and tier at the same time."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.dividing import division_of
from coordination.compiler.reporting import report, see
from coordination.compiler.windows import Interval
from coordination.diagnostics import Diagnostic, Rule
from coordination.program.records import Micros
from coordination.spec.kinds import Reservation
from coordination.spec.quantities import write_instant

RULE = Rule("TIME603", "warning", "Reservations overlap")
NEEDS_WHOLE = False


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    division = catalogue.ask(division_of)
    groups: dict[tuple[str, str, str], list[Entry[Reservation]]] = {}
    for reservation in catalogue.reservations.values():
        spec = reservation.spec
        for serving in division.pools_of(spec):
            groups.setdefault((spec.tenant, serving.name, spec.tier), []).append(reservation)
    told: set[tuple[str, str]] = set()
    for (tenant, pool, tier), group in groups.items():
        if len(group) < 2:
            continue
        windows = {r.name: catalogue.window_of(r) for r in group}
        for name, (other, start) in overlapping(windows, catalogue.at).items():
            if (name, other) in told:
                continue  # on another pool, for they share several
            told.add((name, other))
            later, earlier = catalogue.reservations[name], catalogue.reservations[other]
            since = f"from {write_instant(start)}" if start else "from the beginning"
            yield report(
                RULE,
                later.document,
                "/metadata/name",
                f"`{other}` and `{name}` both promise `{tenant}` throughput "
                f"in tier `{tier}` on `{pool}` {since}",
                related=(see(earlier.document, "/metadata/name", "the other reservation"),),
                notes=("Both count. One reservation with the sum is easier to read.",),
            )


def overlapping(windows: dict[str, tuple[Interval, ...]], at: Micros) -> dict[str, tuple[str, Micros]]:
    """Which begin while another is in force: with which other, and when that happens first.

    In order of time, each stretch is compared with the one that lasts longest so far. Nobody's own
    stretches overlap, so if that one has ended, all others have.
    """
    stretches = sorted(
        (start, name, end) for name, of_one in windows.items() for start, end in of_one if end > at
    )
    found: dict[str, tuple[str, Micros]] = {}
    longest: tuple[Micros, str] = (0, "")
    for start, name, end in stretches:
        if start < longest[0]:
            found.setdefault(name, (longest[1], start))
        longest = max(longest, (end, name))
    return found
