"""Lists of the policy's objects, a page at a time."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from console.forms.filters import HeadFilter
from console.mapping import calendar, drafts, kinds, tables, trying
from console.mapping.capacity import head_rooms
from console.views.desk import DeskRequest, for_staff, show
from foundation.http.pages import page
from policies import selectors
from policies.mapping.documents import parse
from policies.services import clock

PAGE = 50


def kind_of(slug: str) -> kinds.Kind:
    found = kinds.BY_SLUG.get(slug)
    if found is None:
        raise Http404(slug)
    return found


def among_kinds(request: DeskRequest, kind: kinds.Kind | None) -> dict[str, Any]:
    """What the list of kinds beside every page of the policy shows."""
    rows = selectors.heads(request.desk.environment).order_by().values("kind").annotate(n=Count("id"))
    held = {row["kind"]: row["n"] for row in rows}
    return {"kind": kind, "kinds": [(each, held.get(each.name, 0)) for each in kinds.ALL]}


@require_safe
@for_staff
def listing(request: DeskRequest, slug: str) -> HttpResponse:
    """One page of a kind's objects."""
    kind, environment = kind_of(slug), request.desk.environment
    rows = selectors.heads(environment, kind.name)
    narrowed = HeadFilter(request.GET, rows, environment=environment, kind=kind.name)
    order = ("rank", "name") if kind.name == "Route" else ("name",)
    found = page(narrowed.qs, order=order, cursor=request.GET.get("cursor"), limit=PAGE)
    columns = tables.columns(kind.name)
    values, unreadable = parse(head.document_id for head in found.items)
    context = {
        **among_kinds(request, kind),
        "columns": columns,
        "rows": [
            (
                head,
                values[head.document_id].metadata.description,
                tables.row(values[head.document_id], columns),
            )
            for head in found.items
            if head.document_id in values
        ],
        "unreadable": unreadable,
        "filter": narrowed,
        "narrowed": any(request.GET.get(name) for name in narrowed.filters),
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    if kind.name == "Reservation":
        at = clock.micros(clock.midnight())
        context["calendar"] = calendar.draw(
            head_rooms(drafts.current_set(environment).documents.values(), at), at
        )
    if kind.name == "Route":
        context["try"] = trying.choices(environment)
    return show(request, "console/policies/list.html", "policies", context)


def next_page(request: DeskRequest, cursor: str | None) -> str:
    """The query of the page after this one; empty at the end."""
    if cursor is None:
        return ""
    query = request.GET.copy()
    query["cursor"] = cursor
    return query.urlencode()
