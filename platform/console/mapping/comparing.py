"""What differs between versions of a document, field by field, and what do two edits come to together?"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal, TypeGuard

from console.mapping.entries import escaped
from policies import selectors
from policies.mapping import sets

Fate = Literal["taken", "kept", "conflict"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One place that is not the same in two documents. None: not there."""

    pointer: str
    before: str | None
    after: str | None
    entry: str = ""
    """What tells the list's entry it is in from its neighbours, where it is in one."""


@dataclass(frozen=True, slots=True)
class Threefold:
    """One place that somebody else or you changed."""

    pointer: str
    base: str | None
    theirs: str | None
    yours: str | None
    fate: Fate
    """``taken``: only they changed it; ``kept``: only you did; ``conflict``: both, differently."""


def differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Difference]:
    """Every place that differs, in the order of the pointers; also inside the entries of lists."""
    old, new = _side_by_side(before or {}, after or {})
    found: list[Difference] = []
    for pointer in sorted(old.keys() | new.keys()):
        was, now = old.get(pointer), new.get(pointer)
        if was == now:
            continue
        if _entries(was) and _entries(now):
            found += _between_lists(pointer, was, now)
        else:
            found.append(Difference(pointer, shown(was), shown(now)))
    return found


def _entries(value: Any) -> TypeGuard[list[Mapping[str, Any]]]:
    return isinstance(value, list) and all(isinstance(each, Mapping) for each in value)


def _between_lists(
    pointer: str, was: list[Mapping[str, Any]], now: list[Mapping[str, Any]]
) -> Iterator[Difference]:
    """Entries that are the same on both sides are neither said nor counted against each other."""
    sides = [[json.dumps(each, sort_keys=True) for each in side] for side in (was, now)]
    for tag, i, i_end, j, j_end in SequenceMatcher(a=sides[0], b=sides[1], autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        paired = min(i_end - i, j_end - j)
        for step in range(paired):
            yield from _between_entries(f"{pointer}/{j + step}", was[i + step], now[j + step])
        for gone in range(i + paired, i_end):
            yield Difference(f"{pointer}/{gone}", shown(was[gone]), None)
        for come in range(j + paired, j_end):
            yield Difference(f"{pointer}/{come}", None, shown(now[come]))


def _between_entries(pointer: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Difference]:
    same = {key: value for key, value in now.items() if was.get(key) == value}
    if not same:
        yield Difference(pointer, shown(was), shown(now))
        return
    entry = ", ".join(f"{key} {shown(value)}" for key, value in sorted(same.items()))
    for each in differences(was, now):
        yield Difference(pointer + each.pointer, each.before, each.after, each.entry or entry)


def three_way(
    base: Mapping[str, Any], theirs: Mapping[str, Any], yours: Mapping[str, Any]
) -> tuple[dict[str, Any], list[Threefold]]:
    """Both edits put together, and every place either touched. Where both did, yours stands."""
    before, other, mine = _side_by_side(base, theirs, yours)
    touched = [p for p in before.keys() | other.keys() | mine.keys() if _differs(p, before, other, mine)]
    merged = dict(mine)
    found: list[Threefold] = []
    for pointer in sorted(touched):
        was, now, own = before.get(pointer), other.get(pointer), mine.get(pointer)
        fate: Fate = "taken" if own == was else "kept" if now in (was, own) else "conflict"
        if fate == "taken":
            merged.pop(pointer, None)
            if now is not None:
                merged[pointer] = now
        found.append(Threefold(pointer, shown(was), shown(now), shown(own), fate))
    had, have, ours = (set(_blocks(each)) for each in (base, theirs, yours))
    standing = {each for each in have | ours if each in (have if (each in ours) == (each in had) else ours)}
    return _grown(merged, standing), found


def with_value_of(tree: Mapping[str, Any], other: Mapping[str, Any], pointer: str) -> dict[str, Any]:
    """``tree`` with the value ``other`` has at ``pointer``, or without one if ``other`` has none."""
    leaves, theirs = _side_by_side(tree, other)
    leaves.pop(pointer, None)
    found = theirs.get(pointer)
    if found is not None:
        leaves[pointer] = found
    return _grown(leaves, set(_blocks(tree)) & set(_blocks(other)))


@dataclass(frozen=True, slots=True)
class Changed:
    """An object that differs between two policies."""

    kind: str
    name: str
    action: Literal["create", "update", "delete"]
    before: str | None
    after: str | None


def changed_objects(before: str, after: str) -> list[Changed]:
    """Objects that are not the same under two root trees."""
    old = {(e.kind, e.name): e.digest for e in sets.entries_of(before)}
    new = {(e.kind, e.name): e.digest for e in sets.entries_of(after)}
    return [
        Changed(
            *key,
            "create" if key not in old else "delete" if key not in new else "update",
            old.get(key),
            new.get(key),
        )
        for key in sorted(old.keys() | new.keys())
        if old.get(key) != new.get(key)
    ]


def bodies(changes: list[Changed]) -> dict[str, dict[str, Any]]:
    """The documents on either side of ``changes``, by digest."""
    wanted = {digest for each in changes for digest in (each.before, each.after) if digest}
    return {row.digest: json.loads(bytes(row.body)) for row in selectors.documents(wanted)}


def shown(value: Any) -> str | None:
    """A value as a table shows it: in YAML's notation for one line."""
    match value:
        case None | str():
            return value
        case Mapping():
            return "{" + ", ".join(f"{key}: {shown(each)}" for key, each in value.items()) + "}"
        case list():
            return "[" + ", ".join(str(shown(each)) for each in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _differs(pointer: str, *versions: Mapping[str, Any]) -> bool:
    first, *rest = (version.get(pointer) for version in versions)
    return any(each != first for each in rest)


def _side_by_side(*trees: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The leaves of each. A block that is empty in one and filled in another is no leaf of either."""
    sides = [dict(_leaves(tree)) for tree in trees]
    filled = {
        block for tree, side in zip(trees, sides, strict=True) for block in _blocks(tree) if block not in side
    }
    return [{pointer: value for pointer, value in side.items() if pointer not in filled} for side in sides]


def _leaves(tree: Mapping[str, Any], pointer: str = "") -> Iterator[tuple[str, Any]]:
    """Mappings are taken apart; a list is one value, because its entries have no names.

    An empty mapping is a value, too: a guard with its defaults, a pool that is idle.
    """
    for key, value in tree.items():
        below = f"{pointer}/{escaped(key)}"
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, below)
        elif value is not None:
            yield below, value


def _blocks(tree: Mapping[str, Any], pointer: str = "") -> Iterator[str]:
    """Where there is a mapping, empty or not."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            below = f"{pointer}/{escaped(key)}"
            yield below
            yield from _blocks(value, below)


def _grown(leaves: Mapping[str, Any], blocks: Iterable[str]) -> dict[str, Any]:
    """A tree of ``leaves``, with ``blocks`` in it even where no leaf is left in one."""
    tree: dict[str, Any] = {}
    for pointer, value in leaves.items():
        way, last = _way(pointer)
        _inside(tree, way)[last] = value
    for pointer in sorted(blocks):
        way, last = _way(pointer)
        _inside(tree, way).setdefault(last, {})
    return tree


def _inside(tree: dict[str, Any], way: list[str]) -> dict[str, Any]:
    for step in way:
        tree = tree.setdefault(step, {})
    return tree


def _way(pointer: str) -> tuple[list[str], str]:
    *way, last = (step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))
    return way, last
