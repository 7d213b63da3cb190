"""Why was this request refused, slow, or sent there? Asked by its id, or picked from a list."""

from __future__ import annotations

import re
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_safe

from console import selectors as asked
from console.forms.filters import DecisionFilter
from console.mapping import explained as mapping
from console.views.desk import DeskRequest, desk_of, for_staff, show, signed_in
from console.views.listing import next_page
from delivery.models import Release
from foundation.http.pages import page
from telemetry.decisions import selectors
from telemetry.decisions.advice import advice
from telemetry.decisions.explained import Told, tell

PAGE = 50
REQUEST_ID = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")
"""Anywhere in what was pasted: people paste header lines, too."""
NO_ID = "That is no request id. It stands in the x-request-id header of every answer: req_ and 26 characters."


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """``/explain/``: in the first environment."""
    desk = desk_of(signed_in(request))
    if not desk.environment:
        return redirect("console:status")
    query = request.GET.urlencode()
    return redirect(reverse("console:explain", args=[desk.environment]) + (f"?{query}" if query else ""))


@require_safe
@for_staff
def explain(request: DeskRequest) -> HttpResponse:
    pasted = request.GET.get("request", "").strip()[:500]
    if not pasted:
        return _lately(request)
    found = REQUEST_ID.search(pasted.upper().replace("REQ_", "req_"))
    context: dict[str, Any] = {"pasted": found[0] if found else pasted}
    if found is None:
        problem = (
            "That is no request id. It is in the x-request-id header of every answer: req_ and 26 characters."
        )
        return show(
            request, "console/explain/one.html", "explain", {**context, "problem": problem}, status=400
        )
    told = tell(found[0], None)
    document = told.explanation if told is not None else None
    by_gateway = None
    if document is None:
        by_gateway = document = asked.explanation(settings.HEADWAY_GATEWAY_ADMIN_URL, found[0])
    if told is None and document is None:
        return show(request, "console/explain/one.html", "explain", {**context, "unknown": True}, status=404)
    context |= _shown(told, document) | {"asked_now": by_gateway is not None}
    bundle = context["facts"]["bundle"]
    if bundle:
        context["release"] = Release.objects.filter(
            environment=request.desk.environment, bundle=bundle
        ).first()
    return show(request, "console/explain/one.html", "explain", context)


def _lately(request: DeskRequest) -> HttpResponse:
    """What was told of, newest first."""
    environment = request.desk.environment
    narrowed = DecisionFilter(request.GET, selectors.decisions(environment).defer("document"))
    found = page(narrowed.qs, order=("-id",), cursor=request.GET.get("cursor"), limit=PAGE)
    context = {
        "rows": [(row, selectors.instant(row.at_us)) for row in found.items],
        "filter": narrowed,
        "narrowed": any(request.GET.get(name) for name in narrowed.filters),
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    return show(request, "console/explain/list.html", "explain", context)


def _shown(told: Told | None, document: dict[str, Any] | None) -> dict[str, Any]:
    """What the page says; of two sources the explanation, then the account."""
    of = document or {}
    decision = mapping.part(of, "decision")
    code = of.get("code") or (told.code if told else "") or ""
    at_us = of.get("arrived_at_us") or (told.at_us if told else None)
    return {
        "told": told,
        "document": document,
        "facts": {
            "outcome": of.get("outcome") or "",
            "status": of.get("status"),
            "code": code,
            "message": of.get("message") or decision.get("message") or "",
            "advice": advice(code),
            "tenant": of.get("tenant") or (told.tenant if told else ""),
            "key_id": of.get("key_id") or "",
            "model": decision.get("model") or of.get("model") or (told.model if told else ""),
            "tier_requested": of.get("tier_requested") or "",
            "tier": decision.get("tier") or (told.tier if told else ""),
            "route": decision.get("route") or "",
            "pool": decision.get("pool") or "",
            "reservation": mapping.part(of, "charge").get("reservation") or "",
            "lane": decision.get("reservation") or "",
            "client_request_id": of.get("client_request_id") or "",
            "bundle": of.get("bundle") or (told.usage[-1].bundle if told and told.usage else ""),
            "at": selectors.instant(at_us) if isinstance(at_us, int) else None,
        },
        "course": mapping.course(of),
        "compared": mapping.compared(of),
        "promises": mapping.promises(of),
        "rules": mapping.rules(of),
        "attempts": mapping.attempts(of),
        "charge": of.get("charge"),
        "usage": told.usage if told else [],
    }
