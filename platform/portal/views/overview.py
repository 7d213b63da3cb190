"""What may we use, how much of it is in use, how fast is it, and what went wrong? The tenant's first page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ledger.selectors import Wanted, usage
from portal.mapping import limits, refusals, reservations, tiers
from portal.mapping.usage import Line
from portal.selectors import levels
from portal.selectors.contract import look
from portal.views.desk import DeskRequest, for_members, show, signed_in
from telemetry.decisions.selectors import refusal_counts
from telemetry.selectors import own_latency
from tenancy.selectors import tenant_roles

LATELY = timedelta(hours=24)


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The first of the reader's tenants; who has none, or one that no policy names, is told so."""
    mine = sorted(tenant_roles(signed_in(request)))
    places = look(mine).places if mine else ()
    if places:
        return redirect("portal:overview", *places[0])
    return render(request, "portal/nowhere.html", {"mine": mine})


@require_safe
@for_members
def overview(request: DeskRequest) -> HttpResponse:
    desk, now = request.desk, timezone.now()
    if request.htmx:
        return show(request, "portal/_now.html", "overview", _now(request))
    counts = refusal_counts(
        desk.environment,
        desk.tenant,
        since_us=int((now - LATELY).timestamp() * 1_000_000),
        until_us=int(now.timestamp() * 1_000_000) + 1,
    )
    told = refusals.counted(counts)
    return show(
        request,
        "portal/overview.html",
        "overview",
        {**_now(request), "refusals": told[:3], "refused": sum(each.count for each in told)},
    )


def _now(request: DeskRequest) -> dict[str, Any]:
    """The part that changes: limits, reservations, latency, what is spent."""
    desk, now = request.desk, timezone.now()
    contract = desk.contract
    read = levels.read(desk.environment, desk.tenant)
    seen = own_latency(desk.environment, desk.tenant, minutes=60)
    first = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    days = list(
        usage(
            Wanted(
                desk.environment,
                first,
                now + timedelta(hours=1),
                tenants=(desk.tenant,),
                step="day",
                by=("reservation",),
            )
        )
    )
    month = Line("month")
    for row in days:
        month.add(row)
    today = [row for row in days if row["start"].date() == now.date()]
    held = reservations.held(contract, read, today, seen, now)
    return {
        "limits": limits.rows(contract, read, desk.tenant),
        "why": read.why,
        "reservations": held,
        "tiers": tiers.rows(contract, seen),
        "measured": any(each.requests for each in seen),
        "month": month,
        "first": first,
    }
