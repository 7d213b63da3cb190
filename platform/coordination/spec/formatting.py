"""How is a document written so that people like to read it? YAML, in the order the language is told in.

Short collections stand on one line, long ones get a line for each entry; a text is quoted only where
YAML would take it for something else. Reading what is written gives the same document.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from coordination.spec.declaration import Fields, notation_of
from coordination.spec.document import API_VERSION, Document, Metadata
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Factor, Items, Notation, Share, Table
from coordination.spec.source.yaml_text import resolve

WIDTH = 100
INDENT = "  "
_PLAIN = re.compile(r"[A-Za-z0-9_/.](?:[A-Za-z0-9_./%+@-]|:(?=[A-Za-z0-9/]))*(?: [A-Za-z0-9_./%+-]+)*")
_HIDDEN = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


class Bare(str):
    """A number whose digits are kept as a text: written without quotes, read as the same number."""

    __slots__ = ()


def to_yaml(document: Document) -> str:
    """One document as YAML text, ending in a line break."""
    tree = {
        "apiVersion": API_VERSION,
        "kind": document.kind,
        "metadata": _tree(notation_of(Metadata), document.metadata),
        "spec": _tree(NOTATIONS[document.kind], document.spec),
    }
    return write(tree)


def write(tree: Mapping[str, Any]) -> str:
    """A document that is still a tree, such as one that is being written: in the order it comes in."""
    lines: list[str] = []
    for key, value in tree.items():
        # The spec is what people edit: its fields have a line each, however few they are.
        lines += _mapping_entry(key, value, "", open_up=key == "spec")
    return "\n".join(lines) + "\n"


def _tree(notation: Notation, value: Any) -> Any:
    """As the notations write it, fields in the order they were declared."""
    if isinstance(notation, Fields):
        return {
            field.name: _tree(field.notation, held)
            for field in notation.fields.values()
            if (held := getattr(value, field.attribute)) != field.default
        }
    if isinstance(notation, Items):
        return [_tree(notation.of, item) for item in value]
    if isinstance(notation, Table):
        return {key: _tree(notation.of, item) for key, item in sorted(value.items())}
    written = notation.write(value)
    if isinstance(notation, Factor) and not isinstance(notation, Share):
        return Bare(written)
    return written


def _mapping_entry(key: str, value: Any, indent: str, *, open_up: bool = False) -> Iterator[str]:
    head = f"{indent}{_scalar(key)}:"
    flow = _flow(value)
    if not open_up and flow is not None and len(head) + 1 + len(flow) <= WIDTH:
        yield f"{head} {flow}"
    elif isinstance(value, dict) and value:
        yield head
        for inner, item in value.items():
            yield from _mapping_entry(inner, item, indent + INDENT)
    elif isinstance(value, list) and value:
        yield head
        for item in value:
            yield from _list_entry(item, indent + INDENT)
    else:
        yield f"{head} {_everything(value)}"


def _list_entry(value: Any, indent: str) -> Iterator[str]:
    flow = _flow(value)
    if flow is not None and len(indent) + 2 + len(flow) <= WIDTH:
        yield f"{indent}- {flow}"
    elif isinstance(value, dict) and value:
        lines = [line for key, item in value.items() for line in _mapping_entry(key, item, indent + INDENT)]
        yield f"{indent}- {lines[0][len(indent) + len(INDENT) :]}"
        yield from lines[1:]
    else:
        yield f"{indent}- {_everything(value)}"


def _flow(value: Any) -> str | None:
    """On one line, or ``None`` for a list of collections: those read better below each other."""
    if isinstance(value, list) and any(isinstance(item, (dict, list)) for item in value):
        return None
    if isinstance(value, dict) and any(_flow(item) is None for item in value.values()):
        return None
    return _everything(value)


def _everything(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_scalar(key)}: {_everything(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_everything, value)) + "]"
    return _scalar(value)


def _scalar(value: Any) -> str:
    if isinstance(value, Bare):
        return str(value)
    if isinstance(value, str):
        return scalar_text(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def scalar_text(text: str, *, plain: bool = False) -> str:
    """A text, in quotes unless it reads the same without; or (``plain``) what stood without them."""
    if plain:
        return text or "null"
    if _PLAIN.fullmatch(text) and resolve(text) == text:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return _HIDDEN.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)
