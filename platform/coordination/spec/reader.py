"""How do files become a policy set? Text to trees, trees to values; every mistake with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from coordination.diagnostics import Diagnostic, Fix, Location, ObjectRef, Related, in_reading_order
from coordination.spec.declaration import notation_of
from coordination.spec.document import (
    API_VERSION,
    Document,
    LaterPositions,
    Metadata,
    PolicySet,
    Positions,
    SourceFile,
)
from coordination.spec.finding import MOST_FINDINGS, Finding, Misread, Unset
from coordination.spec.kinds import KINDS, NOTATIONS
from coordination.spec.notation import Name
from coordination.spec.plain import Path, Plain, describe, pointer
from coordination.spec.rules import (
    SPEC001_syntax,
    SPEC003_too_much,
    SPEC005_unknown_field,
    SPEC010_duplicate_object,
    SPEC011_api_version,
    SPEC012_kind,
    SPEC013_missing_field,
    SPEC015_hidden_direction,
)
from coordination.spec.source import json_text, yaml_text
from coordination.spec.source.marks import NOWHERE, Broken, Slip
from coordination.spec.source.text import LARGEST_FILE, decode, forbidden_characters

LARGEST_DOCUMENT = 4 * 1024 * 1024
MOST_DOCUMENTS = 200_000
MOST_IN_A_FILE = 1_000
"""Problems; what follows in the file is then not read."""
NAME, TENANT_NAME = Name(), Name(path=True)
NAMED = re.compile(r"""\bname["']?\s{0,9}:\s{0,9}["']?([a-z0-9][a-z0-9./-]{0,599})""")
"""A name as documents give it, in YAML or JSON."""
ENVELOPE = {
    "apiVersion": "Which language it is written in: headway/v1.",
    "kind": "What it describes.",
    "metadata": "Its name, labels and description.",
    "spec": "What it does.",
}


class Draft(msgspec.Struct):
    """A document as a tree, with the means to find places in it."""

    tree: Plain
    positions: Positions


class _Reading:
    """One run of the reader: what it has found so far."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.diagnostics: list[Diagnostic] = []
        self.broken: set[ObjectRef] = set()
        self.texts: dict[str, str] = {}


def read(files: Iterable[SourceFile]) -> tuple[PolicySet, list[Diagnostic]]:
    """Read files into a policy set. Never raises for what is in them.

    Files ending in ``.json`` hold one object or an array of objects; all others are YAML, with any
    number of documents. Diagnostics come in reading order.
    """
    reading = _Reading()
    for file in sorted(files, key=lambda f: f.name):
        before = len(reading.diagnostics)
        for draft in _drafts(file, reading):
            if draft is not None:
                _document(draft, reading)
            if len(reading.diagnostics) - before > MOST_IN_A_FILE:
                place = reading.diagnostics[-1].location or Location(file.name, 1, 1, 1, 2)
                misread = SPEC003_too_much.problems(MOST_IN_A_FILE)
                reading.diagnostics.append(diagnose(misread, place, None, ""))
                break
    _report_duplicates(reading)
    diagnostics = in_reading_order(reading.diagnostics)
    policy_set = PolicySet(
        reading.documents, broken=reading.broken, complete=not diagnostics, texts=reading.texts
    )
    return policy_set, diagnostics


def _drafts(file: SourceFile, reading: _Reading) -> Iterator[Draft | None]:
    """The trees of a file; ``None`` for a document that has none, so that the caller may lose patience."""
    start = Location(file.name, 1, 1, 1, 2)
    if len(file.text) > LARGEST_FILE:
        misread = SPEC003_too_much.file_size(len(file.text), LARGEST_FILE)
        reading.diagnostics.append(diagnose(misread, start, None, ""))
        return
    text, misreads = decode(file.text)
    reading.texts[file.name] = text
    whole = Positions(file.name, text)
    for slip in misreads:
        reading.diagnostics.append(diagnose(slip.misread, whole.place(slip.span), None, ""))
    if misreads:
        return
    for slip in forbidden_characters(text):
        reading.diagnostics.append(diagnose(slip.misread, whole.place(slip.span), None, ""))
        if slip.misread.rule is not SPEC015_hidden_direction.RULE:
            return
    if file.name.endswith(".json"):
        yield from _json_drafts(file, text, reading)
    else:
        yield from _yaml_drafts(file.name, text, reading)


def _yaml_drafts(name: str, text: str, reading: _Reading) -> Iterator[Draft | None]:
    for i, (stretch, first_line) in enumerate(yaml_text.documents(text)):
        positions = Positions(name, stretch, first_line)
        if i == MOST_DOCUMENTS:
            misread = SPEC003_too_much.documents(MOST_DOCUMENTS)
            reading.diagnostics.append(diagnose(misread, positions.place(NOWHERE), None, ""))
            return
        slips: list[Slip] = []
        try:
            if len(stretch) > LARGEST_DOCUMENT:
                misread = SPEC003_too_much.document_size(len(stretch), LARGEST_DOCUMENT)
                raise Broken(misread, NOWHERE)
            tree: Any = yaml_text.compose(stretch, slips)
        except Broken as broken:
            slips.append(broken.slip)
            reading.broken.update(_seem_named(stretch))
            tree = yaml_text.NOTHING
        _report_slips(slips, positions, reading)
        blank = tree is None or isinstance(tree, yaml_text.Nothing)
        yield None if blank else Draft(tree, positions)


def _json_drafts(file: SourceFile, text: str, reading: _Reading) -> Iterator[Draft]:
    trees = json_text.trees_of(file.text)
    if trees is not None:
        layout = json_text.Layout(text)
        for number, tree in enumerate(trees):
            yield Draft(tree, LaterPositions(file.name, layout, number))
        return
    slips: list[Slip] = []
    try:
        for item in json_text.items(text, slips):
            yield Draft(item.tree, Positions(file.name, item.text, item.line, item.column, is_json=True))
    except Broken as broken:
        slips.append(broken.slip)
        reading.broken.update(_seem_named(text))
    _report_slips(slips, Positions(file.name, text), reading)


def _report_slips(slips: list[Slip], positions: Positions, reading: _Reading) -> None:
    for slip in slips[:MOST_FINDINGS]:
        reading.diagnostics.append(diagnose(slip.misread, positions.place(slip.span), None, ""))
    if len(slips) > MOST_FINDINGS:
        place = positions.place(slips[MOST_FINDINGS].span)
        reading.diagnostics.append(diagnose(SPEC003_too_much.findings(MOST_FINDINGS), place, None, ""))


def _document(draft: Draft, reading: _Reading) -> None:
    """A tree becomes a document, or diagnostics."""
    tree, found = draft.tree, list[Finding]()
    if not isinstance(tree, dict):
        found.append(Finding(SPEC001_syntax.not_an_object(describe(tree)), None))
        _report(found, draft, None, reading)
        return
    kind = tree.get("kind")
    _envelope(tree, found)
    metadata: Any = _metadata(tree, kind, found)
    spec: Any = None
    if isinstance(kind, str) and kind in KINDS and "spec" in tree:
        spec = NOTATIONS[kind].read(tree["spec"], (None, "spec"), found)
    if not found and isinstance(kind, str):
        reading.documents.append(Document(kind, metadata, spec, draft.positions))
        return
    ref = _named(tree)
    if ref is not None:
        reading.broken.update([ref] if ref.kind in KINDS else _of_any_kind(ref.name))
    _report(found, draft, ref if ref is not None and ref.kind else None, reading)


def _of_any_kind(name: str) -> Iterator[ObjectRef]:
    return (ObjectRef(kind, name) for kind in KINDS)


def _seem_named(text: str) -> Iterator[ObjectRef]:
    """What a text that makes no sense may well define: what is said of its mistake is enough."""
    for match in islice(NAMED.finditer(text), MOST_FINDINGS):
        yield from _of_any_kind(match[1])


def _envelope(tree: dict[str, Plain], found: list[Finding]) -> None:
    kind = tree.get("kind")
    if tree.keys() == ENVELOPE.keys() and tree["apiVersion"] == API_VERSION and kind in NOTATIONS:
        return
    for key in tree:
        if key not in ENVELOPE:
            misread = SPEC005_unknown_field.unknown(key, "a document", list(ENVELOPE), tree)
            found.append(Finding(misread, (None, key)))
            if len(found) > MOST_FINDINGS:
                return
    for key, doc in ENVELOPE.items():
        if key not in tree:
            added = API_VERSION if key == "apiVersion" else None
            found.append(Finding(SPEC013_missing_field.missing(key, "the document", doc, added=added), None))
    if "apiVersion" in tree and tree["apiVersion"] != API_VERSION:
        found.append(Finding(SPEC011_api_version.unsupported(tree["apiVersion"]), (None, "apiVersion")))
    if "kind" in tree and (not isinstance(kind, str) or kind not in KINDS):
        found.append(Finding(SPEC012_kind.unsupported(kind, list(KINDS)), (None, "kind")))


def _metadata(tree: dict[str, Plain], kind: Plain, found: list[Finding]) -> Any:
    if "metadata" not in tree:
        return None
    written, names = tree["metadata"], TENANT_NAME if kind == "Tenant" else NAME
    if isinstance(written, dict) and len(written) == 1 and names.allows(written.get("name")):
        return Metadata(name=str(written["name"]))  # as most say no more
    path: Path = (None, "metadata")
    metadata = notation_of(Metadata).read(written, path, found)
    if not isinstance(metadata, Unset):
        names.read(metadata.name, (path, "name"), found)
    return metadata


def _named(tree: dict[str, Plain]) -> ObjectRef | None:
    """The object a tree means, however wrong the rest of it is; its kind may be none of ours."""
    kind, metadata = tree.get("kind"), tree.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    return ObjectRef(kind if isinstance(kind, str) else "", name) if isinstance(name, str) else None


def _report(found: list[Finding], draft: Draft, ref: ObjectRef | None, reading: _Reading) -> None:
    for finding in found[:MOST_FINDINGS]:
        where = pointer(finding.path)
        location = draft.positions.locate(where, finding.misread.on)
        reading.diagnostics.append(diagnose(finding.misread, location, ref, where))
    if len(found) > MOST_FINDINGS:
        location = draft.positions.locate("")
        misread = SPEC003_too_much.findings(MOST_FINDINGS)
        reading.diagnostics.append(diagnose(misread, location, ref, ""))


def _report_duplicates(reading: _Reading) -> None:
    """Only the first of several documents of one object is kept, in each environment."""
    kept: list[Document] = []
    first: dict[tuple[str, str], list[Document]] = {}
    for document in reading.documents:
        key = document.kind, document.name
        others = first.get(key)
        if others is None:
            first[key] = [document]
            kept.append(document)
            continue
        clash = next((o for o in others if _meet(o, document) is not None), None)
        others.append(document)
        if clash is None:
            kept.append(document)
            continue
        where = "/metadata/name"
        misread = SPEC010_duplicate_object.twice(document.kind, document.name, _meet(clash, document))
        related = (Related("first defined here", clash.locate(where), clash.ref),)
        reading.diagnostics.append(
            diagnose(misread, document.locate(where), document.ref, where, related=related)
        )
    reading.documents = kept


def _meet(a: Document, b: Document) -> str | None:
    """An environment in which both apply; the empty text when that is all of them."""
    mine, theirs = a.metadata.environments, b.metadata.environments
    if not mine or not theirs:
        return (mine or theirs or ("",))[0]
    return next((name for name in mine if name in theirs), None)


def diagnose(
    misread: Misread,
    location: Location,
    ref: ObjectRef | None,
    where: str,
    *,
    related: tuple[Related, ...] = (),
) -> Diagnostic:
    """A misreading with its place, as a diagnostic."""
    rule = misread.rule
    return Diagnostic(
        code=rule.code,
        severity=rule.severity,
        message=misread.message,
        location=location,
        object=ref,
        json_pointer=where,
        related=related,
        notes=misread.notes,
        fix=_fix(misread, where),
        help_url=rule.help_url,
    )


def _fix(misread: Misread, where: str) -> Fix | None:
    remedy = misread.remedy
    if remedy is None:
        return None
    patch: tuple[dict[str, Any], ...] = ()
    if remedy.rename is not None:
        parent = where.rpartition("/")[0]
        patch = ({"op": "move", "from": where, "path": f"{parent}/{remedy.rename}"},)
    elif remedy.add is not None:
        name, value = remedy.add
        patch = ({"op": "add", "path": f"{where}/{name}", "value": value},)
    elif remedy.remove:
        patch = ({"op": "remove", "path": where},)
    elif not isinstance(remedy.replace, Unset):
        patch = ({"op": "replace", "path": where, "value": remedy.replace},)
    return Fix(remedy.title, "safe" if remedy.safe else "unsafe", patch)
