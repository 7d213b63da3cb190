"""Are the contracts in force, is there room to promise more, and what changed lately?"""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.mapping import drafts, kinds, progress
from console.mapping.ahead import ahead
from console.mapping.capacity import head_rooms
from console.mapping.contracts import contracts
from console.mapping.promises import promises
from console.views.desk import DeskRequest, for_staff, show
from delivery.models import Pointer, Release
from fleet.selectors import active_gateways
from foundation import audit
from policies import selectors
from policies.services import clock

LATELY = 8
STEPS = ("policies.built",)
"""Actions that are steps of another one which is listed itself."""


@require_safe
@for_staff
def overview(request: DeskRequest) -> HttpResponse:
    environment = request.desk.environment
    documents = drafts.current_set(environment).documents.values()
    pointers = list(Pointer.objects.filter(ring__environment=environment).select_related("directory", "ring"))
    gateways = active_gateways(environment).select_related("state").order_by("name")
    rows = progress.standings(gateways, pointers, timezone.now())
    context = {
        "contracts": contracts(documents),
        "promises": promises(environment, documents),
        "rooms": head_rooms(documents, clock.micros(clock.midnight())),
        "ahead": ahead(environment),
        "revision": selectors.current_revision(environment),
        "release": Release.objects.filter(environment=environment).first(),
        "pointer": pointers[0] if pointers else None,
        "gateways": rows,
        "tally": progress.tally(rows),
        "entries": list(audit.entries(environment=environment).exclude(action__in=STEPS)[:LATELY]),
        "by_kind": kinds.BY_NAME,
    }
    return show(request, "console/overview.html", "overview", context)


@require_safe
@for_staff
def promises_part(request: DeskRequest) -> HttpResponse:
    """The promises alone, as they stand now."""
    environment = request.desk.environment
    documents = drafts.current_set(environment).documents.values()
    context = {"promises": promises(environment, documents)}
    return show(request, "console/_promises.html", "overview", context)
