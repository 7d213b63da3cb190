"""What document does a filled-in form describe?

Inputs are named by their path, ``spec/limits/0/of``. A list names its rows in order: one value of
``spec/limits`` for each, which is the next step of the path. What is left blank is left out, so that
the language's default holds; a row of which nothing is filled in is no row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from console.mapping.shapes import Group, Leaf, OneOf, Pairs, Rows, Shape, escaped

ABSENT = object()
"""Nothing was filled in."""


@dataclass(slots=True)
class Filled:
    """A form's content as a tree, and the input that each place of the tree was typed into."""

    tree: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    """JSON pointer -> name of the input."""


def read_form(shape: Group, posted: QueryDict, *, keep_blank: bool = False) -> Filled:
    """What was typed. With ``keep_blank``, rows that were added and not filled in yet stay."""
    filled = Filled()
    tree = _Reader(posted, filled.inputs, keep_blank=keep_blank).group(shape, "", "")
    filled.tree = {} if tree is ABSENT else tree
    return filled


@dataclass(frozen=True, slots=True)
class _Reader:
    posted: QueryDict
    inputs: dict[str, str]
    keep_blank: bool

    def read(self, shape: Shape, name: str, pointer: str) -> Any:
        self.inputs[pointer] = name
        if isinstance(shape, Leaf):
            return self.leaf(shape, name)
        if isinstance(shape, Group):
            return self.group(shape, name, pointer)
        if isinstance(shape, Rows):
            return self.rows(shape, name, pointer)
        if isinstance(shape, Pairs):
            return self.pairs(shape, name, pointer)
        return self.one_of(shape, name, pointer)

    def leaf(self, leaf: Leaf, name: str) -> Any:
        text = meant(self.posted.get(name, ""))
        return ABSENT if text is None else leaf.typed(text)

    def group(self, shape: Group, name: str, pointer: str) -> Any:
        found = {}
        for each in shape.fields:
            below = f"{name}/{each.name}" if name else each.name
            value = self.read(each.shape, below, f"{pointer}/{each.name}")
            # An empty list says something only where the default is a filled one.
            if value is not ABSENT and (value != [] or each.default or self.keep_blank):
                found[each.name] = value
        return found or ABSENT

    def rows(self, shape: Rows, name: str, pointer: str) -> Any:
        if isinstance(shape.of, Leaf) and shape.of.control == "choice":
            return [value for value in self.posted.getlist(name) if value]
        found: list[Any] = []
        for row in self.posted.getlist(name):
            value = self.read(shape.of, f"{name}/{row}", f"{pointer}/{len(found)}")
            if value is ABSENT and self.keep_blank:
                value = None if isinstance(shape.of, Leaf) else {}
            if value is not ABSENT:
                found.append(value)
        return found

    def pairs(self, shape: Pairs, name: str, pointer: str) -> Any:
        found: dict[str, Any] = {}
        for row in self.posted.getlist(name):
            key = meant(self.posted.get(f"{name}/{row}/key", ""))
            value = self.leaf(shape.of, f"{name}/{row}/value")
            if key is None and value is ABSENT and not self.keep_blank:
                continue
            below = f"{pointer}/{escaped(key or '')}"
            self.inputs[below] = f"{name}/{row}/value"
            found[key or ""] = "" if value is ABSENT else value
        return found or ABSENT

    def one_of(self, shape: OneOf, name: str, pointer: str) -> Any:
        word = self.posted.get(name, "")
        if word in shape.more:
            below = f"{name}/{word}"
            self.inputs[f"{pointer}/{escaped(word)}"] = below
            value = self.leaf(shape.more[word], below)
            return {word: "" if value is ABSENT else value}
        return word or ABSENT


def meant(text: str) -> str | None:
    """A text as it is meant: trimmed, None when blank. In double quotes it is taken literally."""
    text = text.replace("\r\n", "\n").strip()
    if not text:
        return None
    if text[0] == text[-1] == '"' and len(text) > 1:
        try:
            literal = json.loads(text, strict=False)
        except ValueError:
            return text
        return str(literal)
    return text


def literal(text: str) -> str:
    """A text as it must stand in an input for ``meant`` to give it back."""
    plain = text == text.strip() and "\r" not in text and text[:1] != '"' and text
    return text if plain else json.dumps(text, ensure_ascii=False)


def arranged(shape: Group, tree: Mapping[str, Any], wish: str) -> dict[str, Any]:
    """``tree`` after a row was added (``add spec/limits``), dropped (``drop spec/limits/1``) or moved up."""
    verb, _, name = wish.partition(" ")
    steps = name.split("/")
    if verb != "add":
        steps, row = steps[:-1], steps[-1]
    held, found = _descend(shape, dict(tree), steps)
    if isinstance(found, Rows):
        rows = list(held) if isinstance(held, list) else []
        if verb == "add":
            rows.append(None if isinstance(found.of, Leaf) else {})
        elif row.isdigit() and int(row) < len(rows):
            taken = rows.pop(int(row))
            if verb == "up":
                rows.insert(max(0, int(row) - 1), taken)
        return dict(_put(tree, steps, rows))
    if isinstance(found, Pairs):
        pairs = list(held.items()) if isinstance(held, dict) else []
        if verb == "add":
            pairs.append(("", ""))
        elif row.isdigit() and int(row) < len(pairs):
            del pairs[int(row)]
        return dict(_put(tree, steps, dict(pairs)))
    return dict(tree)


def _descend(shape: Shape, value: Any, steps: list[str]) -> tuple[Any, Shape | None]:
    found: Shape | None = shape
    for step in steps:
        if isinstance(found, Group):
            found = next((each.shape for each in found.fields if each.name == step), None)
            value = value.get(step) if isinstance(value, dict) else None
        elif isinstance(found, Rows) and step.isdigit():
            found = found.of
            value = value[int(step)] if isinstance(value, list) and int(step) < len(value) else None
        else:
            return None, None
    return value, found


def _put(tree: Any, steps: list[str], value: Any) -> Any:
    """``tree`` with ``value`` at the end of ``steps``; what is on the way and missing is made."""
    if not steps:
        return value
    if isinstance(tree, list):
        rows = list(tree)
        rows[int(steps[0])] = _put(rows[int(steps[0])], steps[1:], value)
        return rows
    inner = dict(tree) if isinstance(tree, dict) else {}
    inner[steps[0]] = _put(inner.get(steps[0], {}), steps[1:], value)
    return inner
