"""What document does a filled-in form describe?

Inputs are named by their path, ``spec/limits/0/of``. A list names its rows in order: one value of
``spec/limits`` for each, which is the next step of the path. So does a table, whose rows have a ``key``
and a ``value`` below. What is left blank is left out, so that the language's default holds; a row of
which nothing is filled in is no row.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from console.mapping.entries import Entries, entries_at, escaped, hollow
from console.mapping.shapes import Group, Leaf, OneOf, Pairs, Rows, Shape

ABSENT = object()
"""Nothing was filled in."""


@dataclass(slots=True)
class Filled:
    """A form's content as a tree, and the input that each place of the tree was typed into."""

    tree: dict[str, Any] = field(default_factory=dict)
    """As a form is drawn from it: tables are ``Entries``. ``plain`` makes it a document's."""
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
            below, inner = f"{name}/{each.name}" if name else each.name, each.shape
            if isinstance(inner, Leaf) and inner.by:
                inner = inner.beside(self.posted.get(f"{name}/{inner.by}", ""))
            value = self.read(inner, below, f"{pointer}/{each.name}")
            # An empty list says something only where the default is a filled one.
            if value is not ABSENT and (value != [] or each.default):
                found[each.name] = value
        return found if found or (shape.bare and self.posted.get(name)) else ABSENT

    def rows(self, shape: Rows, name: str, pointer: str) -> Any:
        if isinstance(shape.of, Leaf) and shape.of.control == "choice":
            return [value for value in self.posted.getlist(name) if value]
        found: list[Any] = []
        for row in self.posted.getlist(name):
            value = self.read(shape.of, f"{name}/{row}", f"{pointer}/{len(found)}")
            if value is ABSENT and self.keep_blank:
                value = None if isinstance(shape.of, (Leaf, OneOf)) else {}
            if value is not ABSENT and (value != [] or self.keep_blank):
                found.append(value)
        return found

    def pairs(self, shape: Pairs, name: str, pointer: str) -> Any:
        """Rows without a name and a value are none; a name alone is an entry with nothing in it."""
        rows = self.posted.getlist(name)
        keys = [meant(self.posted.get(f"{name}/{row}/key", "")) or "" for row in rows]
        found = Entries()
        for row, key, below in zip(rows, keys, entries_at(pointer, keys), strict=True):
            value = self.read(shape.of, f"{name}/{row}/value", below)
            blank = not key and (value is ABSENT or hollow(value))
            if blank and not self.keep_blank:
                continue
            if not isinstance(shape.of, Leaf):
                self.inputs[below] = f"{name}/{row}/key"
            if value is ABSENT:
                value = {} if isinstance(shape.of, (Group, Pairs)) else None
            found.append((key, value))
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


def literal(text: str, *, lines: bool = True) -> str:
    """A text as it must stand in an input for ``meant`` to give it back; most inputs hold no line breaks."""
    plain = text == text.strip() and "\r" not in text and (lines or "\n" not in text)
    return text if plain and text and text[0] != '"' else json.dumps(text, ensure_ascii=False)


def arranged(shape: Group, tree: Mapping[str, Any], wish: str) -> dict[str, Any]:
    """``tree`` after a row was added (``add spec/limits``), dropped (``drop spec/limits/1``) or moved up."""
    verb, _, name = wish.partition(" ")
    steps = name.split("/")
    row = "" if verb == "add" else steps.pop()
    if verb not in ("add", "drop", "up") or (verb != "add" and not row.isdecimal()):
        return dict(tree)
    return dict(_arranged(shape, tree, steps, verb, int(row or 0)))


def _arranged(shape: Shape, value: Any, steps: list[str], verb: str, row: int) -> Any:
    """``value`` with the list or table at the end of ``steps`` rearranged; as it is when there is none."""
    if not steps:
        return _moved(shape, value, verb, row)
    step, *rest = steps
    if isinstance(shape, Group):
        held = dict(value) if isinstance(value, Mapping) else {}
        for each in shape.fields:
            if each.name == step:
                held[step] = _arranged(each.shape, held.get(step), rest, verb, row)
                if held[step] == [] and not each.default:
                    del held[step]
        return held
    if not isinstance(shape, (Rows, Pairs)) or not step.isdecimal():
        return value
    rows = _rows_of(value)
    at = int(step)
    if at < len(rows) and isinstance(shape, Rows):
        rows[at] = _arranged(shape.of, rows[at], rest, verb, row)
        return rows
    if at < len(rows) and rest[:1] == ["value"]:
        key, held = rows[at]
        rows[at] = (key, _arranged(shape.of, held, rest[1:], verb, row))
        return Entries(rows)
    return value


def _rows_of(value: Any) -> list[Any]:
    return list(value.items() if isinstance(value, Mapping) else value or ())


def _moved(shape: Shape, value: Any, verb: str, row: int) -> Any:
    if not isinstance(shape, (Rows, Pairs)):
        return value
    rows = _rows_of(value)
    if verb == "add":
        blank: Any = None if isinstance(shape.of, (Leaf, OneOf)) else {}
        rows.append(("", blank) if isinstance(shape, Pairs) else blank)
    elif row < len(rows):
        taken = rows.pop(row)
        if verb == "up":
            rows.insert(max(0, row - 1), taken)
    return Entries(rows) if isinstance(shape, Pairs) else rows
