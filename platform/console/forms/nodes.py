"""How does a document stand in a form? A tree of what a template draws, with errors at their inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from console.forms.reading import literal
from console.mapping.entries import Entries, entries_at, escaped
from console.mapping.findings import Remark
from console.mapping.kinds import BY_NAME
from console.mapping.shapes import (
    FieldShape,
    Group,
    Leaf,
    OneOf,
    Pairs,
    Rows,
    Shape,
)

MOST_OPTIONS = 150
"""Names in a drop-down; beyond that they are suggested while somebody types."""
SINGLE = frozenset({"input", "area", "select", "suggest", "oneof"})
Names = Mapping[str, Sequence[str]]
"""Kind -> the names of its objects."""
Draws = Literal["input", "area", "select", "suggest", "group", "rows", "chips", "checks", "pairs", "oneof"]


@dataclass(slots=True)
class Option:
    value: str
    label: str
    chosen: bool = False


@dataclass(slots=True)
class Node:
    """One part of a form. ``name`` is its path; ``id`` the same for the page."""

    draws: Draws
    name: str
    label: str = ""
    help: str = ""
    unit: str = ""
    required: bool = False
    value: str = ""
    placeholder: str = ""
    options: list[Option] = field(default_factory=list)
    suggestions: str = ""
    """Kind whose names are suggested, or ``zones``."""
    errors: Sequence[Remark] = ()
    children: list[Node] = field(default_factory=list)
    row: str = ""
    """The last step of the path, for a row of a list."""
    room: bool = True
    """Whether another row may be added."""
    wide: bool = False
    alters: bool = False
    """Whether its choice decides how something else is drawn."""
    bare: bool | None = None
    """Whether a group is there with nothing filled in; None when nobody would want to say so."""
    pointer: str = ""

    @property
    def id(self) -> str:
        return id_of(self.name)

    @property
    def filled(self) -> bool:
        """Whether anything is typed in it or below it."""
        return bool(self.value or self.bare) or any(child.filled for child in self.children)

    @property
    def invalid(self) -> bool:
        return any(remark.severity == "error" for remark in self.errors)


@dataclass(frozen=True, slots=True)
class Drawing:
    """What every node needs to know: the names to refer to, and what is wrong where."""

    names: Names
    remarks: Mapping[str, Sequence[Remark]]

    def draw(self, shape: Group, tree: Any, path: str = "", pointer: str = "") -> list[Node]:
        """The fields of a group."""
        held = tree if isinstance(tree, dict) else {}
        drawn = []
        for each in shape.fields:
            inner = each.shape
            if isinstance(inner, Leaf) and inner.by:
                inner = inner.beside(str(held.get(inner.by, "")))
            name, below = f"{path}/{each.name}".lstrip("/"), f"{pointer}/{each.name}"
            node = self._field(replace(each, shape=inner), held.get(each.name), name, below)
            node.alters = each.name in shape.deciding
            drawn.append(node)
        return sorted(drawn, key=lambda node: node.draws not in SINGLE)  # single inputs before groups

    def _field(self, each: FieldShape, value: Any, name: str, pointer: str) -> Node:
        node = self._node(
            each.shape, each.default if value is None and _listed(each) else value, name, pointer
        )
        node.label, node.help, node.required = each.label, each.help, each.required
        if each.fallback:
            node.placeholder = each.fallback
            if node.options and not node.options[0].value:
                node.options[0].label = f"{words(each.fallback)} (default)"
        return node

    def _node(self, shape: Shape, value: Any, name: str, pointer: str) -> Node:
        errors = self.remarks.get(pointer, ())
        if isinstance(shape, Leaf):
            node = self._leaf(shape, value, name)
        elif isinstance(shape, Group):
            node = Node("group", name, children=self.draw(shape, value, name, pointer))
            if shape.bare and (value == {} or any(each.default for each in shape.fields)):
                node.bare = value == {}
        elif isinstance(shape, Rows):
            node = self._rows(shape, value if isinstance(value, list) else [], name, pointer)
        elif isinstance(shape, Pairs):
            node = self._pairs(shape, _entries(value), name, pointer)
        else:
            node = self._one_of(shape, value, name, pointer)
        node.errors, node.pointer = errors, pointer
        return node

    def _leaf(self, leaf: Leaf, value: Any, name: str) -> Node:
        shown = leaf.shown(value) if not isinstance(value, (dict, list)) else ""
        node = Node("input", name, unit=leaf.unit, placeholder=leaf.example)
        if leaf.control in ("choice", "flag"):
            node.draws, node.options = "select", _options(leaf.choices, shown)
        elif leaf.control == "zone":
            node.draws, node.suggestions = "suggest", "zones"
        elif leaf.control == "reference":
            known = self.names.get(leaf.kind, ())
            if len(known) > MOST_OPTIONS:
                node.draws, node.suggestions = "suggest", leaf.kind
            else:
                node.draws, node.options = "select", _options(known, shown, say=False)
        elif leaf.control == "area":
            node.draws, node.wide = "area", True
        if shown != "":
            node.value = literal(shown, lines=leaf.control == "area")
        elif value == "":
            node.value = '""'
        return node

    def _rows(self, shape: Rows, values: list[Any], name: str, pointer: str) -> Node:
        if isinstance(shape.of, Leaf) and shape.of.control == "choice":
            return Node("checks", name, options=_checks(shape.of.choices, [str(value) for value in values]))
        chips = isinstance(shape.of, Leaf)
        node = Node("chips" if chips else "rows", name, room=len(values) < shape.most, wide=not chips)
        for position, value in enumerate(values):
            row = self._node(shape.of, value, f"{name}/{position}", f"{pointer}/{position}")
            row.row, row.label = str(position), f"{position + 1}"
            node.children.append(row)
        return node

    def _pairs(self, shape: Pairs, values: Entries, name: str, pointer: str) -> Node:
        """Each entry a row: its name, then its value, of which a block's fields stand in the same row."""
        node = Node("pairs", name, room=len(values) < shape.most, wide=not isinstance(shape.of, Leaf))
        called = BY_NAME[shape.key.kind].one.capitalize() if shape.key.kind else "Key"
        below = entries_at(pointer, [key for key, _ in values])
        for position, ((key, value), place) in enumerate(zip(values, below, strict=True)):
            row = Node("group", f"{name}/{position}", row=str(position))
            left = self._leaf(shape.key, key or None, f"{row.name}/key")
            left.label = called
            right = self._node(shape.of, None if value == "" else value, f"{row.name}/value", place)
            right.label = "Value"
            if isinstance(shape.of, Leaf):
                row.children = [left, right]
            else:
                left.pointer, left.errors = place, self.remarks.get(place, ())
                right.pointer, right.errors = "", ()
                row.children = [left, *(right.children if right.draws == "group" else [right])]
            node.children.append(row)
        return node

    def _one_of(self, shape: OneOf, value: Any, name: str, pointer: str) -> Node:
        word = next(iter(value), "") if isinstance(value, dict) else str(value or "")
        node = Node("oneof", name, value=word, options=_options(shape.words.choices, word))
        if word in shape.more:
            below = f"{name}/{word}"
            inner = self._leaf(shape.more[word], value[word] if isinstance(value, dict) else None, below)
            inner.label = f"{words(word)} to" if shape.more[word].kind else words(word)
            inner.required = True
            inner.pointer = f"{pointer}/{escaped(word)}"
            inner.errors = self.remarks.get(inner.pointer, ())
            node.children = [inner]
        return node


def suggested(shape: Shape, names: Names) -> dict[str, Sequence[str]]:
    """What inputs suggest while somebody types, by the list's id."""
    if isinstance(shape, Group):
        inner = [each.shape for each in shape.fields]
    elif isinstance(shape, Rows):
        inner = [shape.of]
    elif isinstance(shape, Pairs):
        inner = [shape.key, shape.of]
    elif isinstance(shape, OneOf):
        inner = list(shape.more.values())
    elif shape.control == "zone":
        return {"zones": shape.choices}
    else:
        known = names.get(shape.kind, ())
        return {shape.kind: known} if len(known) > MOST_OPTIONS else {}
    return {key: values for each in inner for key, values in suggested(each, names).items()}


def inputs_of(nodes: Sequence[Node]) -> dict[str, str]:
    """JSON pointer -> path of the node drawn for it."""
    found: dict[str, str] = {}
    for node in nodes:
        found.setdefault(node.pointer, node.name)
        found.update(inputs_of(node.children))
    return found


def nearest(inputs: Mapping[str, str], pointer: str) -> str:
    """The id of the node where a remark about ``pointer`` is shown; empty when none is near."""
    while pointer and pointer not in inputs:
        pointer = pointer.rpartition("/")[0]
    return id_of(inputs[pointer]) if pointer else ""


def id_of(name: str) -> str:
    """A path as the id of an element."""
    return "f-" + name.replace("/", "-")


def words(value: str) -> str:
    """A word of the language as people read it: ``total_tokens`` -> ``total tokens``."""
    return value.replace("_", " ")


def fits(shape: Shape, value: Any) -> bool:
    """Whether a form can show all of ``value``; what it cannot show, it would lose."""
    if value is None:
        return True
    if isinstance(shape, Group):
        known = {each.name: each.shape for each in shape.fields}
        return isinstance(value, dict) and all(
            name in known and fits(known[name], inner) for name, inner in value.items()
        )
    if isinstance(shape, Rows):
        return isinstance(value, list) and all(inner is not None and fits(shape.of, inner) for inner in value)
    if isinstance(shape, Pairs):
        return isinstance(value, dict) and all(
            inner is not None and fits(shape.of, inner) for inner in value.values()
        )
    if isinstance(shape, OneOf) and isinstance(value, dict):
        return (
            len(value) == 1
            and set(value) <= set(shape.more)
            and not isinstance(next(iter(value.values())), (dict, list))
        )
    return not isinstance(value, (dict, list))


def _listed(each: FieldShape) -> bool:
    """A list with a filled default is shown filled: blank means something else there."""
    return isinstance(each.shape, Rows) and bool(each.default)


def _entries(value: Any) -> Entries:
    """A table's rows, of a form's tree or of a document."""
    if isinstance(value, Entries):
        return value
    return Entries(value.items() if isinstance(value, dict) else ())


def _options(choices: Sequence[str], chosen: str, *, say: bool = True) -> list[Option]:
    """A blank one, the choices, and what is written even if it is none of them."""
    known = list(choices) if chosen in choices or not chosen else [*choices, chosen]
    return [
        Option("", "–", not chosen),
        *(Option(value, words(value) if say else value, value == chosen) for value in known),
    ]


def _checks(choices: Sequence[str], chosen: list[str]) -> list[Option]:
    """What is chosen first and in its order, so that the order survives being posted."""
    rest = [value for value in choices if value not in chosen]
    return [Option(value, words(value), value in chosen) for value in (*chosen, *rest)]
