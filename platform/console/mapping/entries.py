"""A table while it is being filled in: its entries may have no name yet, or the same name twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from console.mapping.findings import Remark

TWICE = "SPEC004"
"""The code under which a text with the same key twice is refused."""


class Entries(list[tuple[str, Any]]):
    """Names and values in the order they are shown; a value of one input is None while it is blank."""


def plain(tree: Any) -> Any:
    """A form's tree as a document says it. Of entries of one name, the first."""
    if isinstance(tree, Entries):
        found: dict[str, Any] = {}
        for key, value in tree:
            found.setdefault(key, "" if value is None else plain(value))
        return found
    if isinstance(tree, Mapping):
        return {key: plain(value) for key, value in tree.items()}
    return [plain(each) for each in tree] if isinstance(tree, list) else tree


def hollow(value: Any) -> bool:
    """Whether nothing is filled in, on any level."""
    if isinstance(value, Entries):
        return all(not key and hollow(held) for key, held in value)
    if isinstance(value, Mapping):
        return all(map(hollow, value.values()))
    return all(map(hollow, value)) if isinstance(value, list) else value is None


def escaped(step: str) -> str:
    """One step of a JSON pointer."""
    return step.replace("~", "~0").replace("/", "~1")


def entries_at(pointer: str, keys: Iterable[str]) -> list[str]:
    """The JSON pointer of each entry of a table.

    An entry whose name another had before it has no place in the document, and a pointer that none has.
    """
    seen: Counter[str] = Counter()
    found = []
    for key in keys:
        again = f"~{seen[key] + 1}" if seen[key] else ""
        found.append(f"{pointer}/{escaped(key)}{again}")
        seen[key] += 1
    return found


def said_twice(tree: Any, pointer: str = "") -> Iterator[Remark]:
    """The entries that no document could hold, because another of the same name stands before them."""
    if isinstance(tree, Entries):
        rows = [(key, value) for key, value in tree if key or not hollow(value)]
        seen: set[str] = set()
        for (key, value), place in zip(rows, entries_at(pointer, [key for key, _ in rows]), strict=True):
            if key in seen:
                says = f"`{key}` has an entry above already" if key else "another entry has no name either"
                yield Remark(place, TWICE, "error", says)
            seen.add(key)
            yield from said_twice(value, place)
    elif isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from said_twice(value, f"{pointer}/{escaped(key)}")
    elif isinstance(tree, list):
        for position, value in enumerate(tree):
            yield from said_twice(value, f"{pointer}/{position}")
