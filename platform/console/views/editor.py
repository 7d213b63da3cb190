"""The page of one object: a form, its YAML beside it, and whom the object touches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from console.forms.nodes import Drawing, Names, Node, fits, inputs_of, nearest, suggested
from console.forms.reading import arranged, read_form
from console.mapping import comparing, drafts, findings, kinds
from console.mapping.entries import plain, said_twice
from console.mapping.findings import Remark
from console.mapping.reach import reach
from console.mapping.shapes import whole
from console.views.desk import DeskRequest, for_operators, for_staff, show
from console.views.listing import among_kinds, kind_of
from foundation.http.once import new_token
from policies import selectors

MOST_NAMES = 5_000
"""Names that are offered for references; an installation with more types them."""
RECENT = 8


@require_safe
@for_staff
def document(request: DeskRequest, slug: str, name: str) -> HttpResponse:
    """One object; one that was deleted says so, and can be brought back."""
    kind = kind_of(slug)
    head = selectors.head(request.desk.environment, kind.name, name)
    if head is not None:
        return sheet(request, kind, name, drafts.tree_of_body(bytes(head.document.body)))
    rows = list(selectors.history(request.desk.environment, kind.name, name)[:RECENT])
    if not rows:
        raise Http404(name)
    context = {**among_kinds(request, kind), "name": name, "history": rows, "token": new_token()}
    return show(request, "console/policies/gone.html", "policies", context, status=404)


@require_safe
@for_operators
def new(request: DeskRequest, slug: str) -> HttpResponse:
    """A blank object, or a copy of one (``?like=``)."""
    kind = kind_of(slug)
    like = request.GET.get("like", "")
    head = selectors.head(request.desk.environment, kind.name, like) if like else None
    return sheet(
        request, kind, "", drafts.tree_of_body(bytes(head.document.body)) if head else {}, is_new=True
    )


@require_POST
@for_staff
def draft(request: DeskRequest, slug: str) -> HttpResponse:
    """What is to be said of a form as it is being filled in: findings, and the other side redrawn.

    ``source`` says which side was typed into; ``arrange`` adds, drops or moves a row; ``take`` puts
    one place as it is saved now.
    """
    kind, environment = kind_of(slug), request.desk.environment
    name = request.POST.get("name", "").strip()
    text = request.POST.get("yaml", "")
    wish, pointer = request.POST.get("arrange", ""), request.POST.get("take", "")
    by_text = request.POST.get("source") == "yaml" and not wish and not pointer
    filled = read_form(whole(kind.name), request.POST, keep_blank=bool(wish))
    tree: Mapping[str, Any] = filled.tree
    redraw = bool(wish or pointer)
    if wish:
        tree = arranged(whole(kind.name), tree, wish)
    elif pointer:
        head = selectors.head(environment, kind.name, name)
        theirs = drafts.tree_of_body(bytes(head.document.body)) if head else {}
        tree = comparing.with_value_of(plain(tree), theirs, pointer)
    elif by_text:
        written = drafts.tree_of_yaml(text)
        about = drafts.without_name(written) if written is not None else None
        redraw = about is not None and fits(whole(kind.name), about)
        tree = about if about is not None and redraw else tree
        name = name or drafts.name_in(written)
    body = text.encode() if by_text else drafts.envelope(kind.name, name, drafts.without_blanks(tree))
    slips = () if by_text else tuple(said_twice(tree))
    verdict = drafts.consider(environment=environment, kind=kind.name, name=name, body=body, slips=slips)
    nodes: list[Node] = []
    if redraw:
        drawing = Drawing(_names(environment), findings.by_pointer(verdict.remarks))
        nodes = drawing.draw(whole(kind.name), tree)
    context = {
        "kind": kind,
        "desk": request.desk,
        "verdict": verdict,
        "remarks": placed(verdict.remarks, inputs_of(nodes) if redraw else filled.inputs),
        "nodes": nodes,
        "redraw": redraw,
        "apart": by_text and not redraw,
        "yaml": None
        if by_text
        else drafts.as_yaml(kind.name, name, drafts.without_blanks(tree), verdict.document),
        "focus": wish.removeprefix("add ").replace("/", "-") if wish.startswith("add ") else "",
    }
    return show(request, "console/policies/_draft.html", "policies", context)


def sheet(
    request: DeskRequest,
    kind: kinds.Kind,
    name: str,
    tree: Mapping[str, Any],
    *,
    is_new: bool = False,
    base: str | None = None,
    remarks: Sequence[Remark] = (),
    notice: str = "",
    text: str | None = None,
    threefold: Sequence[comparing.Threefold] = (),
    status: int = 200,
) -> HttpResponse:
    """The page, with what was typed (``tree``, or ``text`` for YAML that the form cannot show)."""
    environment = request.desk.environment
    head = None if is_new else selectors.head(environment, kind.name, name)
    documents = drafts.current_set(environment).documents
    value = documents.get((kind.name, name)) if head else None
    names = _names(environment)
    nodes = Drawing(names, findings.by_pointer(remarks)).draw(whole(kind.name), tree)
    yaml = text
    if yaml is None:
        yaml = drafts.as_yaml(kind.name, name, plain(tree), value if base is None else None)
    context = {
        **among_kinds(request, kind),
        "name": name,
        "head": head,
        "is_new": is_new,
        "nodes": nodes,
        "suggested": suggested(whole(kind.name), names),
        "yaml": yaml,
        "source": "form" if text is None else "yaml",
        "base": base if base is not None else (head.document_id if head else ""),
        "token": new_token(),
        "remarks": placed(remarks, inputs_of(nodes)),
        "notice": notice,
        "threefold": threefold,
        "reason": request.POST.get("reason", ""),
        "reach": reach(documents, kind.name, name) if head else None,
        "used_by": _used_by(environment, kind, name) if head else [],
        "history": list(selectors.history(environment, kind.name, name)[:RECENT]) if head else [],
        "saved": request.GET.get("saved", ""),
    }
    return show(request, "console/policies/document.html", "policies", context, status=status)


def placed(remarks: Sequence[Remark], inputs: Mapping[str, str]) -> list[tuple[Remark, str, list[Any]]]:
    """Each remark with the id of the element it belongs to, and the other objects it names."""
    return [
        (
            remark,
            nearest(inputs, remark.pointer),
            [
                (kinds.BY_NAME[kind], name, says)
                for kind, name, says in remark.elsewhere
                if kind in kinds.BY_NAME
            ],
        )
        for remark in remarks
    ]


def _names(environment: str) -> Names:
    """What references can name, by kind."""
    found: dict[str, list[str]] = {}
    rows = selectors.heads(environment).order_by("kind", "name").values_list("kind", "name")
    for kind, name in rows[:MOST_NAMES]:
        found.setdefault(kind, []).append(name)
    return found


def _used_by(environment: str, kind: kinds.Kind, name: str) -> list[tuple[kinds.Kind, str, str]]:
    rows = selectors.used_by(environment, kind.name, name)[:100]
    return [(kinds.BY_NAME[row.kind], row.name, row.pointer) for row in rows if row.kind in kinds.BY_NAME]
