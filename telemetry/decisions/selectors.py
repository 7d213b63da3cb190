"""Which explanations are kept, of whom? Reads only.

A tenant's own refusals, newest first, with what its people can do about each:

    for refusal in refusals("dev", "acme", since_us=..., until_us=..., limit=50):
        refusal.at, refusal.request_id, refusal.code, refusal.advice, refusal.tenant, refusal.tier

``tenant`` means that tenant and all below it. Whoever calls has asked before whether its reader may see
that tenant (``ledger.permissions``). ``refusal_counts`` gives (code, count) over the same span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db.models import Count, Q, QuerySet, Sum

from telemetry.decisions.advice import advice
from telemetry.decisions.models import KeptDecision, UnexplainedRefusals

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RefusalSeen:
    """One refused request, as its tenant is told of it."""

    request_id: str
    at: datetime
    tenant: str
    tier: str
    model: str
    code: str
    advice: str


def decisions(environment: str, tenants: Sequence[str] | None = None) -> QuerySet[KeptDecision]:
    """Of ``tenants`` and all below them, or of everybody when None."""
    return KeptDecision.objects.filter(_of(tenants), environment=environment)


def decision(request_id: str, tenants: Sequence[str] | None = None) -> KeptDecision | None:
    """The explanation of one request, if it is kept and is of ``tenants``."""
    return KeptDecision.objects.filter(_of(tenants), request_id=request_id).order_by("id").first()


def refusals(
    environment: str, tenant: str, *, since_us: int, until_us: int, limit: int = 100
) -> list[RefusalSeen]:
    """Newest first."""
    rows = _refused(environment, tenant, since_us, until_us).order_by("-at_us", "-id")[:limit]
    return [
        RefusalSeen(
            request_id=row.request_id,
            at=instant(row.at_us),
            tenant=row.tenant,
            tier=row.tier,
            model=row.model,
            code=row.code,
            advice=advice(row.code),
        )
        for row in rows.defer("document")
    ]


def refusal_counts(environment: str, tenant: str, *, since_us: int, until_us: int) -> list[tuple[str, int]]:
    """(code, how often), most frequent first; of the refusals that are kept one by one."""
    rows = _refused(environment, tenant, since_us, until_us).order_by().values("code")
    counted = rows.annotate(count=Count("id")).order_by("-count", "code")
    return [(row["code"], row["count"]) for row in counted]


def unexplained(environment: str, *, since_us: int, until_us: int) -> list[tuple[str, int]]:
    """(code, how often) of refusals that were too many to keep one by one; of all tenants together."""
    rows = UnexplainedRefusals.objects.filter(
        environment=environment, at_us__gte=since_us, at_us__lt=until_us
    )
    counted = rows.order_by().values("code").annotate(total=Sum("count")).order_by("-total", "code")
    return [(row["code"], row["total"]) for row in counted]


def instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def _refused(environment: str, tenant: str, since_us: int, until_us: int) -> QuerySet[KeptDecision]:
    return decisions(environment, (tenant,)).filter(reason="refused", at_us__gte=since_us, at_us__lt=until_us)


def _of(tenants: Sequence[str] | None) -> Q:
    """These tenants and all below them."""
    if tenants is None:
        return Q()
    found = Q(pk__in=[])
    for name in tenants:
        found |= Q(tenant=name) | Q(tenant__startswith=f"{name}/")
    return found
