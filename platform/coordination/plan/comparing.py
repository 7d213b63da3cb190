"""Where do two values of the language differ? Entries of lists are told apart by what names them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from coordination.spec.declaration import Fields
from coordination.spec.notation import Items, Notation, Table

How = Literal["changed", "added", "removed"]

KEYS: Mapping[str, tuple[str, ...]] = {
    "limit": ("of", "per"),
    "target": ("pool",),
    "entry": ("model", "from_"),
    "objective": ("name",),
}
"""Block in a list -> the attributes that name its entries: equal names are the same entry, moved or not."""


ORDERED = {"target": True}
"""Lists of named entries whose order means something: a request's arm is found by it."""


class Spot(NamedTuple):
    """One place that is not the same."""

    steps: tuple[str, ...]
    """Field names and keys from the spec inwards."""
    shape: str
    """The same with every key as ``*``: ``limits/*/limit``."""
    notation: Notation
    before: Any
    after: Any
    how: How
    place: tuple[str | int, ...]
    """Where it stands in the document that has it (the one after, if both do)."""


def compare(notation: Notation, before: Any, after: Any) -> list[Spot]:
    """Every innermost place that differs, in the order the fields are declared."""
    return list(_compare(notation, before, after, (), (), ()))


def _compare(
    notation: Notation,
    before: Any,
    after: Any,
    steps: tuple[str, ...],
    shape: tuple[str, ...],
    place: tuple[str | int, ...],
) -> Iterator[Spot]:
    if before == after:
        return
    if isinstance(notation, Fields) and before is not None and after is not None:
        for field in notation.fields.values():
            yield from _compare(
                field.notation,
                getattr(before, field.attribute),
                getattr(after, field.attribute),
                (*steps, field.name),
                (*shape, field.name),
                (*place, field.name),
            )
        return
    keyed = _keyed(notation, before, after)
    if keyed is None:
        yield Spot(steps, "/".join(shape), notation, before, after, "changed", place)
        return
    inner, old, new = keyed
    for key in [*old, *(key for key in new if key not in old)]:
        below, outline = (*steps, key), (*shape, "*")
        side = new if key in new else old
        here = (*place, key if isinstance(notation, Table) else list(side).index(key))
        if key not in new:
            yield Spot(below, "/".join(outline), inner, old[key], None, "removed", here)
        elif key not in old:
            yield Spot(below, "/".join(outline), inner, None, new[key], "added", here)
        else:
            yield from _compare(inner, old[key], new[key], below, outline, here)
    if ORDERED.get(_title(notation)) and old.keys() == new.keys() and list(old) != list(new):
        yield Spot(steps, "/".join(shape), notation, before, after, "changed", place)


def _keyed(
    notation: Notation, before: Any, after: Any
) -> tuple[Notation, dict[str, Any], dict[str, Any]] | None:
    """The entries on both sides by their names, where they have names that tell them apart."""
    if before is None or after is None:
        return None
    if isinstance(notation, Table):
        return notation.of, dict(before), dict(after)
    if not isinstance(notation, Items) or not isinstance(notation.of, Fields):
        return None
    key = KEYS.get(notation.of.title)
    if key is None:
        return None
    old, new = _named(notation.of, before, key), _named(notation.of, after, key)
    return (notation.of, old, new) if len(old) == len(before) and len(new) == len(after) else None


def _title(notation: Notation) -> str:
    return notation.of.title if isinstance(notation, Items) and isinstance(notation.of, Fields) else ""


def _named(fields: Fields, entries: Sequence[Any], key: tuple[str, ...]) -> dict[str, Any]:
    by_attribute = {field.attribute: field.notation for field in fields.fields.values()}
    named: dict[str, Any] = {}
    for entry in entries:
        held = [(by_attribute.get(name), getattr(entry, name, None)) for name in key]
        words = [
            str(notation.write(value) if notation else value) for notation, value in held if value is not None
        ]
        named[" ".join(words)] = entry
    return named
