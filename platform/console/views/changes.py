"""What is proposed, what would it change, and what was found out about it?"""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST, require_safe

from console.mapping import comparing, kinds
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import next_page
from foundation.http import Refused
from foundation.http.pages import page
from policies import selectors, services
from policies.mapping import findings
from policies.mapping.documents import as_json
from policies.models import ChangeSet, Operation
from policies.services.plans import Action
from simulations.selectors import promoted_into

PAGE = 50
MOST_SHOWN = 100
LOOKS = {"pending": "warn", "passed": "ok", "failed": "bad", "neutral": "unknown"}
STATES = {"open": "warn", "merged": "ok", "closed": "unknown"}


@require_safe
@for_staff
def listing(request: DeskRequest) -> HttpResponse:
    """Proposals, newest first: the open ones, unless all are asked for."""
    all_ = bool(request.GET.get("all"))
    rows = selectors.change_sets(request.desk.environment, "" if all_ else ChangeSet.State.OPEN)
    found = page(rows, order=("-id",), cursor=request.GET.get("cursor"), limit=PAGE)
    context = {
        "changes": [(each, STATES[each.state]) for each in found.items],
        "all": all_,
        "next": next_page(request, found.next),
        "paged": "cursor" in request.GET,
    }
    return show(request, "console/changes/list.html", "policies", context)


@require_safe
@for_staff
def change_set(request: DeskRequest, number: int) -> HttpResponse:
    """Its operations field by field, what the compiler says of it, and its checks."""
    found = _found(request, number)
    operations = list(selectors.operations(found)[: MOST_SHOWN + 1])
    diagnostics, problem = [], ""
    if found.state == ChangeSet.State.OPEN:
        try:
            diagnostics = findings.as_json(services.validate(found))
        except Refused as refused:
            problem = refused.detail
    context = {
        "change_set": found,
        "state": STATES[found.state],
        "changes": _changes(operations[:MOST_SHOWN]),
        "more_changes": len(operations) > MOST_SHOWN,
        "diagnostics": diagnostics,
        "problem": problem,
        "sound": not problem and all(each["severity"] != "error" for each in diagnostics),
        "promoted": list(promoted_into(found)),
        "checks": [(check, LOOKS[check.state]) for check in selectors.checks(found)],
    }
    return show(request, "console/changes/one.html", "policies", context)


@require_POST
@for_operators
def merge(request: DeskRequest, number: int) -> HttpResponse:
    """Make it current, if it still is what was looked at."""
    found = _found(request, number)
    try:
        head = request.POST.get("head", "")
        revision = services.merge(actor=request.desk.user, change_set=found, head_digest=head)
    except Refused as refused:
        toasts.refused(request, refused)
    else:
        toasts.say(request, f"Change set {found.pk} is merged as revision {revision.number}.")
    return redirect("console:change-set", request.desk.environment, found.pk)


@require_POST
@for_operators
def close(request: DeskRequest, number: int) -> HttpResponse:
    """Give it up; it stays where it can be read."""
    found = _found(request, number)
    try:
        services.close_change_set(actor=request.desk.user, change_set=found)
    except Refused as refused:
        toasts.refused(request, refused)
    else:
        toasts.say(request, f"Change set {found.pk} is closed: nothing of it came into force.")
    return redirect("console:change-set", request.desk.environment, found.pk)


def _found(request: DeskRequest, number: int) -> ChangeSet:
    found = selectors.change_set(number)
    if found is None or found.environment != request.desk.environment:
        raise Http404(number)
    return found


def _changes(
    operations: list[Operation],
) -> list[tuple[comparing.Changed, kinds.Kind | None, list[comparing.Difference]]]:
    """As the partial of releases takes them."""
    before = {
        row.digest: as_json(row)
        for row in selectors.documents(each.base_digest for each in operations if each.base_digest)
    }
    shown = []
    for each in operations:
        new = each.new_document
        action: Action = "delete" if new is None else "update" if each.base_digest else "create"
        fields = (
            comparing.differences(before.get(each.base_digest), as_json(new))
            if action == "update" and new
            else []
        )
        shown.append(
            (
                comparing.Changed(
                    each.kind, each.name, action, each.base_digest or None, each.new_document_id
                ),
                kinds.BY_NAME.get(each.kind),
                fields,
            )
        )
    return shown
