"""Which facts of an object stand in a list of its kind, under which heading and unit?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from console.mapping.shapes import FieldShape, Group, Leaf, OneOf, Rows, Shape, spec_of
from coordination.spec import Document
from coordination.spec.kinds import NOTATIONS

CHOSEN: Mapping[str, tuple[str, ...]] = {
    "Tier": ("service_tier", "band", "queue/max_wait", "queue/max_depth", "overflow", "cache_sharing"),
    "Reservation": (
        *("tenant", "pool", "tier"),
        *("throughput/input", "throughput/output", "window/from", "window/until"),
    ),
    "Quota": ("tenant", "weight", "limits", "concurrency"),
    "Route": ("rank", "match/models", "match/tiers", "match/tenants", "targets", "fallback"),
    "Pool": ("model", "region", "engine", "replicas/urls", "capacity/input", "capacity/output", "reservable"),
    "Model": ("served_name", "aliases", "context_window", "max_output"),
    "Tenant": ("display_name", "tiers", "default_tier", "zone"),
    "PriceBook": ("currency", "entries", "tier_multipliers"),
}
"""Chosen by hand; a kind that is not here shows what it requires."""
MOST_WITHOUT_CHOICE = 6
HEADINGS: Mapping[str, str] = {
    "service_tier": "Answers to",
    "replicas/urls": "Replicas",
    "capacity/input": "Input a replica",
    "capacity/output": "Output a replica",
    "match/models": "Models",
    "match/tiers": "Tiers",
    "match/tenants": "Tenants",
}
COUNTED = frozenset({"replicas/urls", "entries"})
"""Lists of which the number says more than the entries."""
NOBODY = "any"
"""What an empty condition of a route means."""


@dataclass(frozen=True, slots=True)
class Column:
    path: str
    heading: str
    unit: str
    numeric: bool
    shape: Shape
    default: Any


@dataclass(frozen=True, slots=True)
class Cell:
    """One fact. ``kind`` is set when the values are names of other objects."""

    values: tuple[str, ...] = ()
    kind: str = ""
    numeric: bool = False
    assumed: bool = False
    """The language's default, which the document leaves out."""
    tags: bool = field(default=False)


def columns(kind: str) -> tuple[Column, ...]:
    """The columns of a kind's list, besides the name."""
    group = spec_of(kind)
    chosen = (
        CHOSEN.get(kind) or tuple(each.name for each in group.fields if each.required)[:MOST_WITHOUT_CHOICE]
    )
    return tuple(_column(group, path) for path in chosen)


def row(document: Document, drawn: tuple[Column, ...]) -> list[Cell]:
    """The facts of one object, for each column."""
    tree: Any = NOTATIONS[document.kind].write(document.spec)
    return [_cell(column, _at(tree, column.path)) for column in drawn]


def _column(group: Group, path: str) -> Column:
    shape: Shape = group
    found: FieldShape | None = None
    for step in path.split("/"):
        if not isinstance(shape, Group):
            raise KeyError(path)
        found = next(each for each in shape.fields if each.name == step)
        shape = found.shape
    if found is None:
        raise KeyError(path)
    leaf = shape if isinstance(shape, Leaf) else None
    unit = (
        leaf.unit if leaf and leaf.unit != "time" and " to " not in leaf.unit and "," not in leaf.unit else ""
    )
    numeric = bool(leaf and leaf.numeric) or path in COUNTED
    return Column(path, HEADINGS.get(path, found.label), unit, numeric, shape, found.default)


def _at(tree: Any, path: str) -> Any:
    for step in path.split("/"):
        tree = tree.get(step) if isinstance(tree, dict) else None
    return tree


def _cell(column: Column, value: Any) -> Cell:
    shape = column.shape
    if value is None:
        if column.path.startswith("match/"):
            return Cell((NOBODY,), assumed=True)
        if column.default in (None, [], {}):
            return Cell(numeric=column.numeric)
        return Cell(_texts(shape, column.default), numeric=column.numeric, assumed=True)
    if column.path in COUNTED:
        return Cell((str(len(value)),), numeric=True)
    kind = shape.kind if isinstance(shape, Leaf) else ""
    if isinstance(shape, Rows) and isinstance(shape.of, Leaf):
        kind = shape.of.kind
    return Cell(_texts(shape, value), kind, column.numeric, tags=isinstance(value, (list, dict)) and not kind)


def _texts(shape: Shape, value: Any) -> tuple[str, ...]:
    if isinstance(value, list):
        inner = shape.of if isinstance(shape, Rows) else shape
        return tuple(" ".join(_texts(inner, each)) for each in value)
    if isinstance(shape, OneOf) and isinstance(value, dict):
        return tuple(f"{word} to {inner}" for word, inner in value.items())
    if isinstance(shape, Group) and isinstance(value, dict):
        return (_sentence(value),)
    if isinstance(value, dict):
        return tuple(f"{key} {inner}" for key, inner in value.items())
    return (shape.shown(value) if isinstance(shape, Leaf) else str(value),)


def _sentence(value: Mapping[str, Any]) -> str:
    """A block on one line. A limit reads ``4M total tokens / 1m``; a target ``chat-a 95``."""
    if {"of", "per", "limit"} <= value.keys():
        of = str(value["of"]).replace("_", " ")
        return f"{value['limit']}{'' if of == 'spend' else ' ' + of} / {value['per']}"
    return " ".join(str(each) for each in value.values() if not isinstance(each, (dict, list)))
