"""What was used, by whom, when, and what does it cost? Reads only; every figure is a sum of the hours'.

Usage and cost of one tenant with its teams, a day (UTC) at a time:

    for row in tenant_days("dev", "acme", since=..., until=...):
        row["start"], row["tenant"], row["tier"], row["output"], row["cost_nano"], row["currency"]

``tenant`` means that tenant and all below it; ``by`` chooses what a line is of. ``usage`` is the general
form. Whoever calls has asked before whether its reader may see that tenant (``permissions``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.functions import TruncDay, TruncHour, TruncMonth

from ledger.models import SUMS, QuarantinedEvent, UsageEvent, UsageHour

Step = Literal["hour", "day", "month", "all"]
STEPS: dict[str, Any] = {"hour": TruncHour, "day": TruncDay, "month": TruncMonth}
DIMENSIONS = ("tenant", "tier", "model", "key_id", "reservation")
ROWS_AT_ONCE = 2000
MOST_NAMES = 500
"""Of one kind, in a list to choose from."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which usage. ``tenants``: these and all below them, or every tenant when None."""

    environment: str
    since: datetime
    until: datetime
    """Exclusive; both are cut to whole hours, as totals are kept."""
    tenants: tuple[str, ...] | None = None
    tier: str = ""
    model: str = ""
    step: Step = "day"
    by: tuple[str, ...] = ("tenant", "tier", "model")


def usage(wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Totals by step and ``wanted.by`` and currency, in that order; none for what nobody used.

    ``start`` is the step's begin in UTC, None for ``all``.
    """
    rows: QuerySet[Any] = UsageHour.objects.filter(
        _of(wanted.tenants),
        environment=wanted.environment,
        hour__gte=wanted.since,
        hour__lt=wanted.until,
    )
    if wanted.tier:
        rows = rows.filter(tier=wanted.tier)
    if wanted.model:
        rows = rows.filter(model=wanted.model)
    group = [*wanted.by, "currency"]
    if wanted.step != "all":
        rows = rows.annotate(start=STEPS[wanted.step]("hour", tzinfo=UTC))
        group.insert(0, "start")
    totals = {f"sum_{name}": Sum(name) for name in SUMS}
    summed = rows.order_by().values(*group).annotate(**totals).order_by(*group)
    for row in summed.iterator(chunk_size=ROWS_AT_ONCE):
        yield {
            "start": row.get("start"),
            **{name: row[name] for name in wanted.by},
            "currency": row["currency"],
            **{name: row[f"sum_{name}"] for name in SUMS},
        }


def tenant_days(
    environment: str,
    tenant: str,
    *,
    since: datetime,
    until: datetime,
    by: tuple[str, ...] = ("tenant", "tier", "model"),
) -> list[dict[str, Any]]:
    """Lines of ``tenant`` and all below it by day, ``by`` and currency, oldest first."""
    return list(usage(Wanted(environment, since, until, tenants=(tenant,), step="day", by=by)))


def statements(environment: str, tenants: tuple[str, ...] | None = None) -> QuerySet[Any, Any]:
    """Totals by month charged, tenant and currency, newest month first.

    ``late`` counts events used in an earlier month than the one they are charged in.
    """
    return (
        UsageHour.objects.filter(_of(tenants), environment=environment)
        .order_by()
        .values("statement", "tenant", "currency")
        .annotate(**{f"sum_{name}": Sum(name) for name in SUMS})
        .annotate(late=Sum("events", filter=Q(hour__lt=F("statement")), default=0))
        .order_by("-statement", "tenant", "currency")
    )


def events(
    environment: str, tenants: tuple[str, ...] | None, *, request_id: str = ""
) -> QuerySet[UsageEvent]:
    """The lines behind the totals."""
    found = UsageEvent.objects.filter(_of(tenants), environment=environment)
    return found.filter(request_id=request_id) if request_id else found


def of_request(request_id: str, tenants: tuple[str, ...] | None) -> QuerySet[UsageEvent]:
    """The account of one request, attempt by attempt, if it is of ``tenants``."""
    found = UsageEvent.objects.filter(_of(tenants), request_id=request_id)
    return found.order_by("attempt", "id")


def names(environment: str) -> dict[str, list[str]]:
    """What usage can be narrowed to: tenants, tiers and models that have any."""
    rows = UsageHour.objects.filter(environment=environment).order_by()
    return {
        name: list(rows.order_by(name).values_list(name, flat=True).distinct()[:MOST_NAMES])
        for name in ("tenant", "tier", "model")
    }


def quarantine() -> dict[str, int]:
    """How many events lie aside, by reason."""
    rows = QuarantinedEvent.objects.order_by().values_list("reason").annotate(count=Count("id"))
    return {str(reason): count for reason, count in rows}


def newest(environment: str) -> int | None:
    """When the newest event came in, microseconds since 1970."""
    found: int | None = UsageEvent.objects.filter(environment=environment).aggregate(at=Max("received_us"))[
        "at"
    ]
    return found


def _of(tenants: Sequence[str] | None) -> Q:
    """These tenants and all below them."""
    if tenants is None:
        return Q()
    found = Q(pk__in=[])
    for name in tenants:
        found |= Q(tenant=name) | Q(tenant__startswith=f"{name}/")
    return found
