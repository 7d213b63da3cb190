"""How is a file of policies written canonically, with every comment kept? (``headway fmt``)

Fields stand in the order the language is told in, two spaces a level, texts without quotes where that
reads the same. What is the author's stays: comments, blank lines between entries, the spelling of
numbers, and whether a collection stands on one line or on several (one that no longer fits is opened up).
Reading the result gives the same documents, and formatting it again changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from coordination.spec.declaration import Fields, notation_of
from coordination.spec.document import Metadata, SourceFile
from coordination.spec.formatting import INDENT, WIDTH, scalar_text
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Items, Notation, Table
from coordination.spec.plain import Plain
from coordination.spec.source import json_text, yaml_text
from coordination.spec.source.marks import Broken, Slip
from coordination.spec.source.outline import Group, Node, Outline, Scalar, Slot, outline_of
from coordination.spec.source.text import LARGEST_FILE, decode, forbidden_characters

ENVELOPE = ("apiVersion", "kind", "metadata", "spec")


class NotFormattableError(Exception):
    """The file is not sound YAML or JSON: the reader says why."""


def tidy(file: SourceFile) -> bytes:
    """The file in canonical form. Raises ``NotFormattableError``; the reader then has a diagnostic."""
    if len(file.text) > LARGEST_FILE:
        raise NotFormattableError(f"{file.name} is too large")
    text, slips = decode(file.text)
    if slips or any(forbidden_characters(text)):
        raise NotFormattableError(f"{file.name} is not plain text")
    written = _tidy_json(text) if file.name.endswith(".json") else _tidy_yaml(text)
    return written.encode()


def _tidy_yaml(text: str) -> str:
    parts: list[str] = []
    for stretch, _ in yaml_text.documents(text):
        tree = _sound(stretch)
        outline = outline_of(stretch)
        if tree is None:
            outline.root = None  # `---` with nothing but comments below it
        written = "".join(f"{line}\n" for line in _document(outline, tree))
        if not written:
            continue
        if _sound(written) != tree and not (tree is None and outline.root is None):
            raise NotFormattableError("a document cannot be written otherwise than it stands")
        parts.append(written)
    return "---\n".join(parts)


def _sound(stretch: str) -> Any:
    slips: list[Slip] = []
    try:
        tree = yaml_text.compose(stretch, slips)
    except Broken as broken:
        raise NotFormattableError(broken.slip.misread.message) from None
    if slips:
        raise NotFormattableError(slips[0].misread.message)
    return tree


def _document(outline: Outline, tree: Any) -> Iterator[str]:
    yield from _squeezed(outline.header)
    if isinstance(outline.root, Group):
        root = outline.root
        _arrange(root, tree.get("kind") if isinstance(tree, dict) else None)
        _raise_comments(root, 0)
        # A document is never one line: its parts are what people look for.
        yield from _group(root, "", opened=True)
    elif outline.root is not None:
        yield from _entry_lines("", outline.root, "", "")
    yield from _squeezed(outline.footer, first=False)


def _arrange(root: Group, kind: Any) -> None:
    """Put the fields of a document in order; those the language lacks come last."""
    _sort(root, ENVELOPE)
    for slot in root.slots:
        if not root.mapping or slot.key is None:
            continue
        if slot.key.text == "metadata":
            _order(slot.value, notation_of(Metadata))
        elif slot.key.text == "spec" and isinstance(kind, str) and kind in NOTATIONS:
            _order(slot.value, NOTATIONS[kind])


def _order(node: Node, notation: Notation) -> None:
    if not isinstance(node, Group):
        return
    if isinstance(notation, Fields) and node.mapping:
        _sort(node, tuple(notation.fields))
        for slot in node.slots:
            field = notation.fields.get(slot.key.text) if slot.key else None
            if field is not None:
                _order(slot.value, field.notation)
    elif isinstance(notation, Items | Table):
        for slot in node.slots:
            _order(slot.value, notation.of)


def _sort(group: Group, names: tuple[str, ...]) -> None:
    place = {name: i for i, name in enumerate(names)}
    group.slots.sort(key=lambda slot: place.get(slot.key.text, len(names)) if slot.key else 0)


def _raise_comments(group: Group, column: int) -> None:
    """What is said of the first field of an entry is said of the entry: it goes above the dash."""
    for slot in group.slots:
        value = slot.value
        if not isinstance(value, Group):
            continue
        _raise_comments(value, column + len(INDENT))
        if slot.key is None and value.slots and not _on_one_line(value, column + 2, slot.after):
            first = value.slots[0]
            slot.before += [*first.before, *([slot.after] if slot.after else [])]
            first.before, slot.after = [], ""


def _group(group: Group, indent: str, *, opened: bool = False) -> Iterator[str]:
    """The lines of a mapping or list that has a line for each entry."""
    for i, slot in enumerate(group.slots):
        for line in _squeezed(slot.before, first=i == 0):
            yield indent + line if line else ""
        if slot.key is None:
            yield from _item(slot, indent)
        else:
            head = f"{indent}{scalar_text(slot.key.text, plain=slot.key.style == 'plain')}:"
            is_spec = opened and slot.key.text == "spec"
            yield from _entry_lines(head, slot.value, indent + INDENT, slot.after, opened=is_spec)
    for line in _squeezed(group.tail, first=not group.slots):
        yield indent + line if line else ""


def _item(slot: Slot, indent: str) -> Iterator[str]:
    inner = indent + INDENT
    value = slot.value
    if isinstance(value, Group) and value.slots and not _on_one_line(value, len(indent) + 2, slot.after):
        lines = list(_group(value, inner))
        yield f"{indent}- {lines[0][len(inner) :]}"
        yield from lines[1:]
    else:
        yield from _entry_lines(f"{indent}-", value, inner, slot.after)


def _entry_lines(head: str, value: Node, indent: str, after: str, *, opened: bool = False) -> Iterator[str]:
    """An entry whose line begins with ``head``: on that line if it fits, else opened up."""
    end = f"  {after}" if after else ""
    space = " " if head else ""
    if isinstance(value, Scalar):
        if value.raw:
            yield f"{head}{space}{value.raw[0]}"
            yield from (f"{indent}{line}" if line else "" for line in value.raw[1:])
        else:
            yield f"{head}{space}{_scalar(value)}{end}"
    elif not value.slots or (not opened and _on_one_line(value, len(head) + 1, after)):
        yield f"{head}{space}{_flow(value)}{end}"
        yield from (f"{indent}{line}" for line in _squeezed(value.tail))
    else:
        yield f"{head}{end}"
        yield from _group(value, indent)


def _on_one_line(group: Group, column: int, after: str) -> bool:
    """Whether the author wrote it so, and it still can be."""
    if not group.flow or not _bare_of_comments(group):
        return False
    room = WIDTH - column - (len(after) + 2 if after else 0)
    return len(_flow(group)) <= max(room, 0)


def _bare_of_comments(node: Node) -> bool:
    if isinstance(node, Scalar):
        return not node.raw
    slots = node.slots
    return not node.tail and all(
        not any(slot.before) and not slot.after and _bare_of_comments(slot.value) for slot in slots
    )


def _flow(node: Node) -> str:
    if isinstance(node, Scalar):
        return _scalar(node)
    inner = ", ".join(
        _flow(slot.value)
        if slot.key is None
        else f"{scalar_text(slot.key.text, plain=slot.key.style == 'plain')}: {_flow(slot.value)}"
        for slot in node.slots
    )
    return f"{{{inner}}}" if node.mapping else f"[{inner}]"


def _scalar(scalar: Scalar) -> str:
    if scalar.style == "plain":
        return scalar_text(scalar.text, plain=True)
    return scalar_text(scalar.text)


def _squeezed(lines: list[str], *, first: bool = True) -> Iterator[str]:
    """No two blank lines together, and none where a group begins."""
    blank = first
    for line in lines:
        if line or not blank:
            yield line
        blank = not line


def _tidy_json(text: str) -> str:
    slips: list[Slip] = []
    try:
        trees = [item.tree for item in json_text.items(text, slips)]
    except Broken as broken:
        raise NotFormattableError(broken.slip.misread.message) from None
    if slips:
        raise NotFormattableError(slips[0].misread.message)
    trees = [_ordered_document(tree) for tree in trees]
    if text.lstrip().startswith("["):
        return "[\n" + ",\n".join(f"  {_json(tree, '  ')}" for tree in trees) + "\n]\n" if trees else "[]\n"
    return _json(trees[0], "") + "\n"


def _ordered_document(tree: Plain) -> Plain:
    if not isinstance(tree, dict):
        return tree
    kind = tree.get("kind")
    known = isinstance(kind, str) and kind in NOTATIONS
    ordered = {}
    for key in _by(tree, ENVELOPE):
        value = tree[key]
        if key == "metadata":
            value = _ordered(value, notation_of(Metadata))
        elif key == "spec" and known:
            value = _ordered(value, NOTATIONS[str(kind)])
        ordered[key] = value
    return ordered


def _ordered(value: Plain, notation: Notation) -> Plain:
    if isinstance(value, dict) and isinstance(notation, Fields):
        fields = notation.fields
        return {
            key: _ordered(value[key], fields[key].notation) if key in fields else value[key]
            for key in _by(value, tuple(fields))
        }
    if isinstance(value, dict) and isinstance(notation, Table):
        return {key: _ordered(item, notation.of) for key, item in value.items()}
    if isinstance(value, list) and isinstance(notation, Items):
        return [_ordered(item, notation.of) for item in value]
    return value


def _by(tree: dict[str, Plain], names: tuple[str, ...]) -> list[str]:
    place = {name: i for i, name in enumerate(names)}
    return sorted(tree, key=lambda key: place.get(key, len(names)))


def _json(value: Plain, indent: str) -> str:
    line = _json_line(value)
    if not isinstance(value, dict | list) or not value or (indent and len(indent) + len(line) <= WIDTH - 20):
        return line
    inner = indent + INDENT
    if isinstance(value, dict):
        entries = [f"{inner}{json.dumps(k, ensure_ascii=False)}: {_json(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    return "[\n" + ",\n".join(f"{inner}{_json(item, inner)}" for item in value) + f"\n{indent}]"


def _json_line(value: Plain) -> str:
    if isinstance(value, dict):
        entries = (f"{json.dumps(k, ensure_ascii=False)}: {_json_line(v)}" for k, v in value.items())
        return "{" + ", ".join(entries) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_json_line, value)) + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)
