"""What happens right now, and what happened over the last days? The pages; figures come by themselves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.mapping import drafts
from console.mapping.contracts import contracts
from console.views.desk import DeskRequest, desk_of, for_staff, show, signed_in
from delivery.models import Release
from telemetry.objectives import counted_of

REMEMBERED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Choice:
    """One button of a group."""

    name: str
    title: str = ""
    seconds: int = 0


SPANS = (Choice("1 min", seconds=60), Choice("5 min", seconds=300), Choice("15 min", seconds=900))
METRICS = (
    Choice("kv", "KV"),
    Choice("waiting", "Waiting"),
    Choice("ttft_p95", "TTFT p95"),
    Choice("cache_hit", "Cache hit"),
)


@require_safe
def first(request: HttpRequest) -> HttpResponse:
    """``/live/``: of the first environment."""
    desk = desk_of(signed_in(request))
    return redirect("console:live", desk.environment) if desk.environment else redirect("console:status")


@require_safe
@for_staff
def live(request: DeskRequest) -> HttpResponse:
    environment = request.desk.environment
    documents = drafts.current_set(environment).documents.values()
    tiers = contracts(documents)
    by_band = sorted((d for d in documents if d.kind == "Tier"), key=lambda d: (-d.spec.band, d.name))
    lately = Release.objects.filter(environment=environment, created_at__gte=timezone.now() - REMEMBERED)
    marks = [
        {"at": round(at.timestamp() * 1000), "label": f"release {version}"}
        for version, at in lately.values_list("version", "created_at")
    ]
    context = {
        "spans": SPANS,
        "metrics": METRICS,
        # The highest band first: colours and layers keep their places whatever comes first.
        "tiers": json.dumps([tier.tier for tier in tiers]),
        "bands": json.dumps([f"band {band}" for band in sorted({tier.band for tier in tiers}, reverse=True)]),
        "marks": json.dumps(marks),
        "promises": [each for tier in by_band for each in counted_of(tier.name, tier.spec)],
        "explain": f"/e/{environment}/explain/?request=",
    }
    return show(request, "console/live.html", "live", context)


HISTORY = (
    Choice("1 h", seconds=3600),
    Choice("6 h", seconds=6 * 3600),
    Choice("24 h", seconds=24 * 3600),
    Choice("7 d", seconds=7 * 24 * 3600),
    Choice("30 d", seconds=30 * 24 * 3600),
)


@require_safe
@for_staff
def history(request: DeskRequest) -> HttpResponse:
    """Stored minutes, to zoom into and to carry away; the plots come once the page is there."""
    return show(request, "console/history.html", "live", {"spans": HISTORY})
