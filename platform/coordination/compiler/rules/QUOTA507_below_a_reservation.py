"""QUOTA507: a tenant has a limit below its own reservation, which therefore does not hold for it."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.dividing import division_of
from coordination.compiler.reporting import report, see
from coordination.diagnostics import Diagnostic, Rule
from coordination.spec.kinds import Quota, Reservation
from coordination.spec.kinds.tenant import ancestors
from coordination.spec.quantities import write_count

RULE = Rule("QUOTA507", "warning", "Limit below a reservation")
NEEDS_WHOLE = False
MINUTES = {"1m": 1, "1h": 60, "day": 1440, "month": 31 * 1440}


def check(catalogue: Catalogue) -> Iterator[Diagnostic]:
    """A month counts as 31 days, so that no limit is said to be too low that is not."""
    of_tenant: dict[str, list[Entry[Quota]]] = {}
    for quota in catalogue.quotas.values():
        of_tenant.setdefault(quota.spec.tenant, []).append(quota)
    division = catalogue.ask(division_of)
    for reservation in catalogue.reservations.values():
        model = division.model_of(reservation.spec)
        if model is None or not _all_the_time(reservation.spec):
            continue
        for tenant in (reservation.spec.tenant, *ancestors(reservation.spec.tenant)):
            for quota in of_tenant.get(tenant, ()):
                if _covers(quota.spec, reservation.spec.tier, model):
                    yield from _compare(quota, reservation)


def _all_the_time(reservation: Reservation) -> bool:
    """Office hours need no limit for the whole day."""
    return reservation.window.recurs is None


def _covers(quota: Quota, tier: str, model: str) -> bool:
    scope = quota.scope
    return (not scope.tiers or tier in scope.tiers) and (not scope.models or model in scope.models)


def _compare(quota: Entry[Quota], reservation: Entry[Reservation]) -> Iterator[Diagnostic]:
    rates = reservation.spec.throughput
    wanted = {
        "input_tokens": rates.input,
        "output_tokens": rates.output,
        "total_tokens": rates.input + rates.output,
    }
    for i, limit in enumerate(quota.spec.limits):
        need = wanted.get(limit.of, 0) * MINUTES[limit.per]
        if not isinstance(limit.limit, int) or limit.limit >= need:
            continue
        yield report(
            RULE,
            quota.document,
            f"/spec/limits/{i}/limit",
            f"reservation `{reservation.name}` promises {write_count(need)} of {limit.of} per {limit.per}, "
            f"above the limit of `{quota.spec.tenant}`, {write_count(limit.limit)}",
            related=(see(reservation.document, "/spec/throughput", "what is promised"),),
            notes=("Requests that a reservation pays for pass every limit: this one bounds the others.",),
        )
