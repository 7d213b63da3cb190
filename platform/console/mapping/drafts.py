"""Would this draft do, and how does it read as YAML? A draft is a form's tree or a text, not yet saved."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.mapping.entries import Entries, hollow, plain
from console.mapping.findings import Remark, of_reading, remark
from console.mapping.shapes import Group, Leaf, OneOf, Pairs, Rows, Shape, whole
from coordination.bundle.tree import EMPTY
from coordination.diagnostics import Diagnostic, in_reading_order
from coordination.spec import Document, SourceFile, read
from coordination.spec.document import API_VERSION
from coordination.spec.finding import Misread
from coordination.spec.formatting import Bare, to_yaml, write
from coordination.spec.source import yaml_text
from coordination.spec.source.marks import Broken, Slip
from coordination.spec.source.text import decode
from policies import selectors
from policies.mapping import documents, sets
from policies.services import clock

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found out about a draft."""

    document: Document | None
    """None when it cannot be read."""
    remarks: tuple[Remark, ...]
    """Of the draft itself, and every error of the policy with it in place."""
    elsewhere: int
    """Warnings about other objects, which were there before."""

    @property
    def ok(self) -> bool:
        return not self.errors

    @property
    def errors(self) -> int:
        return sum(1 for each in self.remarks if each.severity == "error")


def envelope(kind: str, name: str, tree: Mapping[str, Any]) -> dict[str, Any]:
    """What a form says of an object, as a whole document."""
    return {
        "apiVersion": API_VERSION,
        "kind": kind,
        "metadata": {"name": name, **tree.get("metadata", {})},
        "spec": dict(tree.get("spec", {})),
    }


def consider(
    *, environment: str, kind: str, name: str, body: documents.Body, slips: Sequence[Remark] = ()
) -> Verdict:
    """Read a draft and put it into the policy that is current: everything that would then be wrong.

    ``slips`` is what was found wrong with it before it was a document.
    """
    document, misread = _read(kind, name, body)
    if document is None:
        return Verdict(None, (*slips, *map(of_reading, misread)), 0)
    found = check_with(environment, {(document.kind, document.name): document})
    mine = [each for each in found if _concerns(each, document)]
    remarks = (*slips, *map(of_reading, misread), *(remark(each, document) for each in mine))
    return Verdict(document, remarks, len(found) - len(mine))


def consider_without(*, environment: str, kind: str, name: str) -> Verdict:
    """What would be wrong if the object were gone."""
    before = {_told(each) for each in check_with(environment, {})}
    found = check_with(environment, {(kind, name): None})
    new = [each for each in found if each.severity == "error" or _told(each) not in before]
    return Verdict(None, tuple(remark(each, None) for each in new), len(found) - len(new))


def check_with(environment: str, edits: Mapping[tuple[str, str], Document | None]) -> list[Diagnostic]:
    """The policy of ``environment`` with ``edits`` in it, checked as of today."""
    stored = current_set(environment).with_edits(edits)
    return stored.check(environment, clock.micros(clock.midnight()))


def current_set(environment: str) -> sets.Stored:
    """Every current document; kept by the digest of the revision's tree."""
    revision = selectors.current_revision(environment)
    return sets.stored_set(revision.root_tree_id if revision else EMPTY)


def as_yaml(kind: str, name: str, tree: Mapping[str, Any], document: Document | None) -> str:
    """The draft as YAML: in its canonical notation once it can be read, until then as it was typed."""
    if document is not None:
        return to_yaml(document)
    drawn = envelope(kind, name, tree)
    shape = whole(kind)
    return write({**drawn, **_numbers(shape, {key: drawn[key] for key in ("metadata", "spec")})})


def tree_of_yaml(text: str) -> dict[str, Any] | None:
    """The mapping that one YAML document holds, however wrong it is; None when it holds none."""
    decoded, misreads = decode(text.encode())
    stretches = [stretch for stretch, _ in yaml_text.documents(decoded) if stretch.strip(" \n\r-")]
    if misreads or len(stretches) != 1:
        return None
    slips: list[Slip] = []
    try:
        tree = yaml_text.compose(stretches[0], slips)
    except (Broken, Misread):
        return None
    return tree if isinstance(tree, dict) else None


def tree_of_body(body: bytes) -> dict[str, Any]:
    """``metadata`` and ``spec`` of a stored document, as a form holds them."""
    stored = json.loads(body)
    return without_name(stored)


def without_name(tree: Mapping[str, Any]) -> dict[str, Any]:
    """What a form shows of a document: the name is its address, not a field."""
    metadata = tree.get("metadata")
    about = (
        {key: value for key, value in metadata.items() if key != "name"} if isinstance(metadata, dict) else {}
    )
    return {"metadata": about, "spec": tree.get("spec")}


def name_in(tree: Mapping[str, Any] | None) -> str:
    """The name a draft's own metadata gives it; empty when it gives none."""
    metadata = (tree or {}).get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return name if isinstance(name, str) else ""


def without_blanks(value: Any) -> Any:
    """A form's tree as a document, without the rows that were added and not filled in yet."""
    if isinstance(value, Entries):
        return without_blanks(plain(Entries((key, held) for key, held in value if key or not hollow(held))))
    if isinstance(value, Mapping):
        return {key: without_blanks(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [without_blanks(inner) for inner in value if inner is not None and inner != {} and inner != []]
    return value


def _read(kind: str, name: str, body: documents.Body) -> tuple[Document | None, Sequence[Diagnostic]]:
    if isinstance(body, Mapping):
        source = SourceFile(f"{kind}/{name}.json", json.dumps(body).encode("utf-8", "surrogatepass"))
    else:
        source = SourceFile(f"{kind}/{name}.yaml", body)
    policy_set, diagnostics = read([source])
    return (policy_set.documents[0] if len(policy_set.documents) == 1 else None), in_reading_order(
        diagnostics
    )


def _concerns(found: Diagnostic, draft: Document) -> bool:
    """Errors always; the rest when it is about the draft or points at it."""
    if found.severity == "error" or found.object == draft.ref:
        return True
    return any(related.object == draft.ref for related in found.related)


def _told(found: Diagnostic) -> tuple[str, str, str]:
    return found.code, found.message, found.json_pointer


def _numbers(shape: Shape, value: Any) -> Any:
    """Numbers that were typed, written as numbers: a form knows texts only."""
    if isinstance(shape, Group) and isinstance(value, dict):
        known = {each.name: each.shape for each in shape.fields}
        return {key: _numbers(known[key], inner) if key in known else inner for key, inner in value.items()}
    if isinstance(shape, Rows) and isinstance(value, list):
        return [_numbers(shape.of, inner) for inner in value]
    if isinstance(shape, Pairs) and isinstance(value, dict):
        return {key: _numbers(shape.of, inner) for key, inner in value.items()}
    if isinstance(shape, OneOf):
        return value
    if isinstance(shape, Leaf) and shape.numeric and isinstance(value, str) and _NUMBER.fullmatch(value):
        return Bare(value)
    return value
