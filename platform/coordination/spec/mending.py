"""How is a fix put into a file so that nothing else in it changes?

A fix is a JSON patch of one document. Here it becomes the smallest edit of the document's text: the
characters of a key or a value are replaced, or an entry of a list is cut out with its comma or its line.
Comments, order, quotes and line breaks stay as their author left them. Every edit proves itself: the
edited text is read again, and only if it gives the patched tree, and no other, is it kept.
"""

from __future__ import annotations

import copy
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from coordination.diagnostics import Fix, Location
from coordination.spec.document import Positions
from coordination.spec.plain import Plain
from coordination.spec.source import json_text, yaml_text
from coordination.spec.source.marks import Broken, Slip, Span

BARE = re.compile(r"[A-Za-z][A-Za-z0-9._/-]*|[0-9]+")
"""Texts that stand without quotes anywhere in YAML; whether they mean the same is proved by reading."""
LINE_OF_ENTRY = re.compile(r"[ \t]*-[ \t]+$")
REST_OF_LINE = re.compile(r"[ \t]*(#[^\n\r]*)?(?:\r\n|[\n\r]|$)")
COMMA_AFTER = re.compile(r"\s*,[ \t]*")


class Edit(NamedTuple):
    """Characters of a document's text to be replaced, and the patch that asks for it."""

    start: int
    stop: int
    text: str
    operation: dict[str, Any]


class CannotEdit(Exception):
    """A fix that this module does not know how to write; it stays a proposal."""


class _Part(NamedTuple):
    """One document's stretch of a file."""

    offset: int
    positions: Positions
    tree: Plain


def mend(name: str, text: str, fixes: Iterable[tuple[Location, Fix]]) -> tuple[str, int]:
    """A file's text with fixes applied, and how many were: those that could be written and proved.

    ``fixes`` come with the places of their diagnostics, which tell the documents of the file apart.
    Fixes that touch the same characters exclude each other; the first wins, the rest can follow when
    the file has been read again.
    """
    parts = list(_parts(name, text))
    lines = [part.positions.line for part in parts]
    wanted: dict[int, list[Fix]] = {}
    for at, fix in fixes:
        here = bisect_right(lines, at.line - 1) - 1
        if parts and parts[here].positions.is_json:
            here = _holding(parts, at, here)
        if here >= 0:
            wanted.setdefault(here, []).append(fix)
    applied = kept = 0
    pieces: list[str] = []
    for here in sorted(wanted):
        part = parts[here]
        mended, count = _mend_document(part, wanted[here])
        applied += count
        pieces += [text[kept : part.offset], mended]
        kept = part.offset + len(part.positions.text)
    return "".join([*pieces, text[kept:]]), applied


def _holding(parts: Sequence[_Part], at: Location, last: int) -> int:
    """JSON objects may share a line: the one whose first character is nearest before a place."""
    while last > 0 and (parts[last].positions.line, parts[last].positions.column) > (
        at.line - 1,
        at.column - 1,
    ):
        last -= 1
    return last


def _parts(name: str, text: str) -> Iterator[_Part]:
    starts = [0, *(match.end() for match in yaml_text.BREAK.finditer(text))]
    slips: list[Slip] = []
    try:
        if name.endswith(".json"):
            for item in json_text.items(text, slips):
                positions = Positions(name, item.text, item.line, item.column, is_json=True)
                yield _Part(starts[item.line] + item.column, positions, item.tree)
            return
    except Broken:
        return
    offset = 0
    for stretch, line in yaml_text.documents(text):
        try:
            tree: Any = yaml_text.compose(stretch, slips)
        except Broken:
            tree = None
        yield _Part(offset, Positions(name, stretch, line), tree)
        offset += len(stretch)


def _mend_document(part: _Part, fixes: list[Fix]) -> tuple[str, int]:
    """One document's text with as many of its fixes as can be applied together."""
    text, is_json = part.positions.text, part.positions.is_json
    starts = [0, *(match.end() for match in yaml_text.BREAK.finditer(text))]
    chosen: list[list[Edit]] = []
    for fix in fixes:
        try:
            edits = [_edit(part, operation, starts) for operation in fix.patch]
        except CannotEdit:
            continue
        taken = [other for group in chosen for other in group]
        if edits and not any(_clash(a, b) for a in edits for b in taken):
            chosen.append(edits)
    edited = _proved(part, text, chosen, is_json=is_json)
    if edited is not None:
        return edited, len(chosen)
    # One of them does not do what it says: each has to stand on its own.
    for group in chosen:
        edited = _proved(part, text, [group], is_json=is_json)
        if edited is not None:
            return edited, 1
    return text, 0


def _clash(a: Edit, b: Edit) -> bool:
    return (a.start < b.stop and b.start < a.stop) or a.start == b.start


def _proved(part: _Part, text: str, groups: list[list[Edit]], *, is_json: bool) -> str | None:
    """The edited text, if reading it gives exactly the patched tree."""
    tree = copy.deepcopy(part.tree)
    for edit in sorted((e for group in groups for e in group), key=lambda e: e.start, reverse=True):
        text = text[: edit.start] + edit.text + text[edit.stop :]
        tree = patched(tree, edit.operation)
    slips: list[Slip] = []
    try:
        if is_json:
            [item] = json_text.items(text, slips)
            read: Any = item.tree
        else:
            read = yaml_text.compose(text, slips)
    except (Broken, ValueError):
        return None
    return text if _same(read, tree) else None


def _same(a: Plain, b: Plain) -> bool:
    """Equal, with the order of keys, and without taking 1 for true."""
    if isinstance(a, dict) and isinstance(b, dict):
        return list(a) == list(b) and all(_same(a[key], b[key]) for key in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(map(_same, a, b))
    return type(a) is type(b) and a == b


def patched(tree: Plain, operation: dict[str, Any]) -> Plain:
    """One operation of a JSON patch on a tree, in place; a moved key keeps its position among the others."""
    steps = _steps(operation["path"])
    parent: Any = tree
    for step in steps[:-1]:
        parent = parent[int(step) if isinstance(parent, list) else step]
    last: Any = int(steps[-1]) if isinstance(parent, list) and steps[-1] != "-" else steps[-1]
    match operation["op"]:
        case "replace":
            parent[last] = operation["value"]
        case "remove":
            del parent[last]
        case "add":
            rest = dict(parent)
            parent.clear()
            parent.update({last: operation["value"], **rest})
        case "move":
            old = _steps(operation["from"])[-1]
            renamed = {(last if key == old else key): value for key, value in parent.items()}
            parent.clear()
            parent.update(renamed)
    return tree


def _steps(pointer: str) -> list[str]:
    return [step.replace("~1", "/").replace("~0", "~") for step in pointer.split("/")[1:]]


def _edit(part: _Part, operation: dict[str, Any], starts: list[int]) -> Edit:
    """The characters an operation stands for. ``starts``: where each line of the document begins."""
    text, marks = part.positions.text, part.positions.marks

    def stretch(span: Span | None) -> tuple[int, int]:
        if span is None:
            raise CannotEdit
        return starts[span.line] + span.column, starts[span.end_line] + span.end_column

    path, is_json = operation["path"], part.positions.is_json
    if operation["op"] in ("replace", "remove") and isinstance(_at(part.tree, _steps(path)), dict | list):
        raise CannotEdit  # where a collection ends is not known
    match operation["op"]:
        case "replace":
            start, stop = stretch(marks.values.get(path))
            if not is_json and text[start : start + 1] in ("|", ">"):
                raise CannotEdit  # a block of lines: its comments and what follows hang on its indentation
            return Edit(
                start, stop, written(operation["value"], text[start:stop], is_json=is_json), operation
            )
        case "move":
            if operation["from"].rpartition("/")[0] != path.rpartition("/")[0]:
                raise CannotEdit
            start, stop = stretch(marks.keys.get(operation["from"]))
            return Edit(start, stop, written(_steps(path)[-1], text[start:stop], is_json=is_json), operation)
        case "remove":
            start, stop = stretch(marks.values.get(path))
            alone = len(_at(part.tree, _steps(path)[:-1])) == 1
            return _cut(text, start, stop, operation, alone=alone)
        case "add":
            return _insert(part, operation, starts)
    raise CannotEdit


def _at(tree: Any, steps: Sequence[str]) -> Any:
    """A part of a tree; ``CannotEdit`` if there is none."""
    for step in steps:
        try:
            tree = tree[int(step)] if isinstance(tree, list) else tree[step]
        except (LookupError, TypeError, ValueError):
            raise CannotEdit from None
    return tree


def _cut(text: str, start: int, stop: int, operation: dict[str, Any], *, alone: bool) -> Edit:
    """An entry of a list with what separates it from the others; the last one leaves an empty list."""
    line = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    rest = REST_OF_LINE.match(text, stop)
    if LINE_OF_ENTRY.fullmatch(text, line, start) and rest is not None:
        if alone:
            return Edit(text.index("-", line), stop, "[]", operation)
        if rest[1]:  # a comment outlives what it stands beside
            return Edit(text.index("-", line), rest.start(1), "", operation)
        return Edit(line, rest.end(), "", operation)
    head = text[:start].rstrip()
    if head.endswith(","):
        return Edit(len(head[:-1].rstrip(" \t")), stop, "", operation)
    after = COMMA_AFTER.match(text, stop)
    return Edit(start, after.end() if after else stop, "", operation)


def _insert(part: _Part, operation: dict[str, Any], starts: list[int]) -> Edit:
    """A new first key of the document's mapping, written as the others are."""
    text, marks = part.positions.text, part.positions.marks
    parent, _, _ = operation["path"].rpartition("/")
    first = next((s for where, s in marks.keys.items() if where.rpartition("/")[0] == parent), None)
    if first is None:
        raise CannotEdit
    at = starts[first.line] + first.column
    is_json = part.positions.is_json
    value = written(operation["value"], "", is_json=is_json)
    key = written(_steps(operation["path"])[-1], "", is_json=is_json)
    indent = text[starts[first.line] : at]
    own_line = not indent.strip() and not is_json
    return Edit(at, at, f"{key}: {value}" + (f"\n{indent}" if own_line else ", "), operation)


def written(value: Plain, before: str, *, is_json: bool) -> str:
    """A value as it is written in the place of another, in that one's quotes."""
    if isinstance(value, list):
        return "[" + ", ".join(written(item, before, is_json=is_json) for item in value) + "]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return str(value)
    if not isinstance(value, str):
        raise CannotEdit
    if is_json or before[:1] == '"':
        return json.dumps(value, ensure_ascii=False)
    if before[:1] == "'" and "'" not in value and value.isprintable():
        return f"'{value}'"
    if BARE.fullmatch(value) and yaml_text.resolve(value) == value:
        return value
    return json.dumps(value, ensure_ascii=False)
