"""Who did what, when: the audit trail, narrowed and read a page at a time."""

from __future__ import annotations

import json
from typing import Any

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from console.forms.filters import AuditFilter
from console.mapping import kinds
from console.views.desk import DeskRequest, for_staff, show
from console.views.listing import next_page
from foundation import audit
from foundation.audit.models import AuditEntry
from foundation.http.pages import page

PAGE = 50


@require_safe
@for_staff
def trail(request: DeskRequest) -> HttpResponse:
    """Entries of this environment, and those that belong to none."""
    rows = AuditEntry.objects.filter(environment__in=("", request.desk.environment))
    narrowed = AuditFilter(request.GET, rows)
    found = page(narrowed.qs, order=("-seq",), cursor=request.GET.get("cursor"), limit=PAGE)
    context = {
        "entries": [(entry, links(entry, request.desk.environment)) for entry in found.items],
        "filter": narrowed,
        "narrowed": any(request.GET.get(name) for name in narrowed.filters),
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    return show(request, "console/audit/list.html", "audit", context)


@require_safe
@for_staff
def entry(request: DeskRequest, seq: int) -> HttpResponse:
    """One entry with everything it covers, under an address of its own."""
    found = audit.entries().filter(pk=seq, environment__in=("", request.desk.environment)).first()
    if found is None:
        raise Http404(seq)
    context = {
        "entry": found,
        "links": links(found, request.desk.environment),
        "details": json.dumps(found.details, indent=2, ensure_ascii=False),
        "operations": _operations(found, request.desk.environment),
    }
    return show(request, "console/audit/entry.html", "audit", context)


def links(found: AuditEntry, environment: str) -> list[tuple[str, str]]:
    """What an entry is about, with addresses where there are any: (words, address)."""
    operations = _operations(found, environment)
    if operations:
        return [(f"{kind.one} {name}", address) for _, kind, name, address in operations[:3]]
    words = f"{found.object_kind} {found.object_name}".strip()
    kind = kinds.BY_NAME.get(found.object_kind)
    if kind is not None:
        return [(f"{kind.one} {found.object_name}", _document(environment, kind, found.object_name))]
    if found.object_kind == "Release" and found.object_name.isdigit():
        address = reverse("console:release", args=[environment, int(found.object_name)])
        return [(f"release {found.object_name}", address)]
    if found.object_kind == "Gateway":
        return [(f"gateway {found.details.get('name', found.object_name)}", "")]
    if found.object_kind == "Bundle":
        return [(f"bundle {found.object_name.removeprefix('sha256:')[:12]}", "")]
    if found.object_kind == "ApiKey":
        return [(f"key {found.object_name} of {found.details.get('tenant', '–')}", "")]
    return [(words, "")] if words else []


def _operations(found: AuditEntry, environment: str) -> list[tuple[str, kinds.Kind, str, str]]:
    """(what was done, kind, name, address) for each object a merge touched."""
    listed: Any = found.details.get("operations", [])
    return [
        (
            "deleted" if not row.get("to") else "changed" if row.get("from") else "created",
            kinds.BY_NAME[row["kind"]],
            row["name"],
            _document(environment, kinds.BY_NAME[row["kind"]], row["name"]),
        )
        for row in listed
        if isinstance(row, dict) and row.get("kind") in kinds.BY_NAME and row.get("name")
    ]


def _document(environment: str, kind: kinds.Kind, name: str) -> str:
    return reverse("console:document", args=[environment, kind.slug, name])
