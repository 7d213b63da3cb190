"""What was used, by whom, and what does it cost? The page, the API and the exports say the same lines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.mapping import usage as mapping
from console.views.desk import DeskRequest, desk_of, for_staff, show, signed_in
from console.views.listing import next_page
from foundation.http import Refused
from ledger import selectors
from ledger.api.query import STEP_NAMES, page_of, wanted_by
from ledger.selectors import DIMENSIONS

PAGE = 100


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """``/usage/``: of the first environment."""
    desk = desk_of(signed_in(request))
    if not desk.environment:
        return redirect("console:status")
    query = request.GET.urlencode()
    return redirect(reverse("console:usage", args=[desk.environment]) + (f"?{query}" if query else ""))


@require_safe
@for_staff
def usage(request: DeskRequest) -> HttpResponse:
    """Totals, bars, and a page of lines; everything asked for is in the address."""
    environment = request.desk.environment
    params = {name: request.GET.get(name, "") for name in request.GET if name != "by"}
    params |= {"environment": environment, "by": ",".join(request.GET.getlist("by"))}
    context: dict[str, Any] = {
        "given": params,
        "steps": STEP_NAMES,
        "dimensions": DIMENSIONS,
        "names": selectors.names(environment),
        "narrowed": bool(request.GET),
        "paged": "cursor" in request.GET,
        "quarantined": sum(selectors.quarantine().values()),
    }
    try:
        wanted = wanted_by(params, request.desk.user)
        rows, following = page_of(wanted, request.GET.get("cursor"), PAGE)
    except Refused as refused:
        return show(request, "console/usage.html", "usage", {**context, "problem": refused}, status=400)
    totals = mapping.totals(wanted)
    query = request.GET.copy()
    query.pop("cursor", None)
    query.setlist("by", [",".join(wanted.by)])
    query["environment"] = environment
    context |= {
        "wanted": wanted,
        "last": wanted.until - timedelta(microseconds=1),
        "rows": rows,
        "totals": totals,
        "drawing": mapping.drawing(wanted, (each.currency for each in totals)),
        "query": query.urlencode(),
        "next": next_page(request, following),
    }
    return show(request, "console/usage.html", "usage", context)
