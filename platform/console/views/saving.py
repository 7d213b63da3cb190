"""Saving, deleting and bringing back an object: each a change set merged at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from console.forms.nodes import fits
from console.forms.reading import Filled, read_form
from console.mapping import comparing, drafts, findings, kinds
from console.mapping.entries import plain, said_twice
from console.mapping.reach import reach
from console.mapping.shapes import whole
from console.views import toasts
from console.views.desk import DeskRequest, for_operators, show
from console.views.editor import placed, sheet
from console.views.listing import among_kinds, kind_of
from fleet.selectors import active_gateways
from foundation.http import Conflict, Invalid, Refused
from foundation.http.once import new_token, once
from policies import selectors
from policies.models import Document
from policies.services import save_document


@require_POST
@for_operators
def save(request: DeskRequest, slug: str, name: str = "") -> HttpResponse:
    """Merge what was typed, or show it again with what is in the way. Nothing typed is lost."""
    kind, environment = kind_of(slug), request.desk.environment
    typed = Typed(request, kind, name)
    before = selectors.head(environment, kind.name, typed.name)
    try:
        with once(request) as attempt:
            if attempt.earlier is not None:
                return redirect(attempt.earlier)
            if typed.slips:
                raise Invalid(
                    "said_twice", "The form says something twice, and only one of the two could be kept."
                )
            if typed.is_new and before is not None:
                raise Invalid("name_taken", f"There is a {kind.one} `{typed.name}` already.")
            revision = save_document(
                actor=request.desk.user,
                environment=environment,
                kind=kind.name,
                name=typed.name,
                body=typed.body,
                base_digest=typed.base or None,
                reason=request.POST.get("reason", "").strip(),
            )
            page = reverse("console:document", args=[environment, kind.slug, typed.name])
            attempt.leads_to = f"{page}?saved={revision.number}"
    except Refused as refused:
        if refused.code == "stale_edit" and isinstance(refused, Conflict):
            return _stale(request, kind, typed, refused)
        return _refused(request, kind, typed, refused)
    toasts.saved(request, kind, typed.name, before.document_id if before else None)
    return redirect(attempt.leads_to)


class Typed:
    """What came with the form: a tree, or a text when the YAML side was typed into last."""

    def __init__(self, request: DeskRequest, kind: kinds.Kind, name: str) -> None:
        self.is_new = not name
        self.filled: Filled = read_form(whole(kind.name), request.POST)
        self.text = request.POST.get("yaml", "")
        self.by_text = request.POST.get("source") == "yaml"
        self.base = request.POST.get("base", "")
        self.name = name or request.POST.get("name", "").strip()
        written = drafts.tree_of_yaml(self.text) if self.by_text else None
        if self.is_new and written is not None:
            self.name = drafts.name_in(written) or self.name
        about = drafts.without_name(written) if written is not None else None
        shown = about is not None and fits(whole(kind.name), about)
        self.tree: Mapping[str, Any] = about if about is not None and shown else self.filled.tree
        told = drafts.envelope(kind.name, self.name, plain(self.filled.tree))
        self.body: bytes | dict[str, Any] = self.text.encode() if self.by_text else told
        self.slips = () if self.by_text else tuple(said_twice(self.filled.tree))


def _refused(request: DeskRequest, kind: kinds.Kind, typed: Typed, refused: Refused) -> HttpResponse:
    """The same page with each error at its field."""
    verdict = drafts.consider(
        environment=request.desk.environment,
        kind=kind.name,
        name=typed.name,
        body=typed.body,
        slips=typed.slips,
    )
    known = {(remark.pointer, remark.code) for remark in verdict.remarks}
    more = [findings.of_error(error) for error in refused.errors]
    remarks = [*verdict.remarks, *(each for each in more if (each.pointer, each.code) not in known)]
    return sheet(
        request,
        kind,
        typed.name,
        typed.tree,
        is_new=typed.is_new,
        base=typed.base,
        remarks=remarks,
        notice=refused.detail,
        text=typed.text if typed.by_text else None,
        status=refused.http_status,
    )


def _stale(request: DeskRequest, kind: kinds.Kind, typed: Typed, conflict: Conflict) -> HttpResponse:
    """Somebody else saved it meanwhile: base, theirs and yours, put together where they allow it."""
    versions = conflict.extra["conflicts"][0]
    base, theirs = _version(versions["base"]), _version(versions["theirs"])
    yours = _version(versions["ours"])
    merged, table = comparing.three_way(base, theirs, yours)
    now = versions["theirs"]
    return sheet(
        request,
        kind,
        typed.name,
        merged,
        is_new=now is None,
        base=now["digest"] if now else "",
        notice=conflict.detail,
        threefold=table,
        status=409,
    )


def _version(version: Mapping[str, Any] | None) -> dict[str, Any]:
    return drafts.without_name(version["document"]) if version and version["document"] else {}


@require_http_methods(["GET", "HEAD", "POST"])
@for_operators
def delete(request: DeskRequest, slug: str, name: str) -> HttpResponse:
    """Say what it would do, then do it."""
    kind, environment = kind_of(slug), request.desk.environment
    head = selectors.head(environment, kind.name, name)
    if head is None:
        raise Http404(name)
    notice, status = "", 200
    if request.method == "POST":
        try:
            with once(request) as attempt:
                if attempt.earlier is not None:
                    return redirect(attempt.earlier)
                _write(request, kind, name, None, request.POST.get("base", ""))
                attempt.leads_to = reverse("console:listing", args=[environment, kind.slug])
        except Refused as refused:
            notice, status = refused.detail, refused.http_status
        else:
            toasts.deleted(request, kind, name, head.document_id)
            return redirect(attempt.leads_to)
    verdict = drafts.consider_without(environment=environment, kind=kind.name, name=name)
    context = {
        **among_kinds(request, kind),
        "name": name,
        "head": head,
        "verdict": verdict,
        "remarks": placed(verdict.remarks, {}),
        "reach": reach(drafts.current_set(environment).documents, kind.name, name),
        "gateways": active_gateways(environment).count(),
        "notice": notice,
        "token": new_token(),
    }
    return show(request, "console/policies/delete.html", "policies", context, status=status)


@require_POST
@for_operators
def restore(request: DeskRequest, slug: str, name: str) -> HttpResponse:
    """Put an earlier version in the place of the current one; no version takes the object away."""
    kind, environment = kind_of(slug), request.desk.environment
    wanted = request.POST.get("version", "")
    stored = selectors.document(wanted) if wanted else None
    if wanted and (stored is None or (stored.kind, stored.name) != (kind.name, name)):
        raise Http404(wanted)
    before = request.POST.get("base", "")
    back = reverse("console:listing", args=[environment, kind.slug])
    try:
        with once(request) as attempt:
            if attempt.earlier is not None:
                return redirect(attempt.earlier)
            number = _write(request, kind, name, stored, before)
            page = reverse("console:document", args=[environment, kind.slug, name])
            attempt.leads_to = f"{page}?saved={number}" if stored else back
    except Refused as refused:
        toasts.refused(request, refused)
        return redirect("console:document", environment, kind.slug, name)
    toasts.restored(request, kind, name)
    return redirect(attempt.leads_to)


def _write(request: DeskRequest, kind: kinds.Kind, name: str, stored: Document | None, base: str) -> int:
    revision = save_document(
        actor=request.desk.user,
        environment=request.desk.environment,
        kind=kind.name,
        name=name,
        body=bytes(stored.body) if stored else None,
        base_digest=base or None,
        reason=request.POST.get("reason", "").strip(),
    )
    return revision.number
