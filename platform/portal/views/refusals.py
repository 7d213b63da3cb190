"""Which of our requests were refused, why, and what can we do about it?"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.mapping import refusals as mapping
from portal.mapping.limits import money
from portal.views.desk import DeskRequest, for_members, page_of, show
from telemetry.decisions import selectors
from telemetry.decisions.explained import tell

SPANS = {"1h": timedelta(hours=1), "24h": timedelta(hours=24), "7d": timedelta(days=7)}
STEPS = (
    ("decided", "Decided"),
    ("placed", "Given a replica"),
    ("sent", "Sent"),
    ("first_byte", "First byte"),
    ("finished", "Finished"),
)


@require_safe
@for_members
def refusals(request: DeskRequest) -> HttpResponse:
    """Counted by code, and the newest one by one."""
    desk = request.desk
    asked = request.GET.get("request", "").strip()
    if re.fullmatch(r"[A-Za-z0-9_-]{1,100}", asked):
        return redirect("portal:request", asked, desk.environment, desk.tenant)
    span = request.GET.get("span", "24h")
    span = span if span in SPANS else "24h"
    now = timezone.now()
    since_us, until_us = (int(at.timestamp() * 1_000_000) for at in (now - SPANS[span], now))
    counts = selectors.refusal_counts(desk.environment, desk.tenant, since_us=since_us, until_us=until_us + 1)
    codes = mapping.counted(counts)
    code = request.GET.get("code", "")
    rows = selectors.decisions(desk.environment, (desk.tenant,)).filter(reason="refused", at_us__gte=since_us)
    if code in {each.code for each in codes}:
        rows = rows.filter(code=code)
    else:
        code = ""
    found = page_of(request, rows.defer("document"), "-id")
    query = request.GET.copy()
    query["cursor"] = found.next or ""
    context = {
        "codes": codes,
        "code": code,
        "span": span,
        "spans": list(SPANS),
        "rows": [(row, selectors.instant(row.at_us), mapping.told(row.code)) for row in found.items],
        "next": query.urlencode() if found.next else "",
        "paged": "cursor" in request.GET,
    }
    return show(request, "portal/refusals.html", "refusals", context)


@require_safe
@for_members
def one(request: DeskRequest, request_id: str) -> HttpResponse:
    """Everything we may know of one request of ours."""
    told = tell(request_id, (request.desk.tenant,))
    if told is None or told.environment != request.desk.environment:
        raise Http404
    explanation: dict[str, Any] = told.explanation or {}
    timings = explanation.get("timings_us") or {}
    context = {
        "told": told,
        "at": selectors.instant(told.at_us),
        "code": mapping.told(told.code) if told.code else None,
        "explanation": explanation,
        "steps": [(words, timings[name] / 1000) for name, words in STEPS if timings.get(name) is not None],
        "lines": [(line, money(line.cost_nano, line.currency)) for line in told.usage],
    }
    return show(request, "portal/request.html", "refusals", context)
