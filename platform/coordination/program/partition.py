"""How is a large set of named objects cut into small files, so that an edit rewrites few of them?

A file ("shard") holds the objects whose ``sha256(kind/name)`` starts with the file's name in hex. A
shard over ``MAX_SHARD`` is split by the next digit, so the layout is a function of the set alone, and
an object's neighbours are those of its hash: changing one object changes one shard. A single object
larger than ``MAX_SHARD`` cannot be split and gets a shard to itself.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import accumulate, pairwise
from typing import NamedTuple

MAX_SHARD = 32 * 1024
"""Bytes. Small enough to decode between two requests without anyone noticing."""
WHOLE = "all"
"""Name of the shard that holds everything: the empty prefix."""
DIGITS_DOWN = "fedcba9876543210"
MOST_KNOWN = 32_768
"""Objects whose hash is kept: each is in a bundle twice, with its origin, and most are in the next one."""


class Item(NamedTuple):
    """One object's canonical bytes, under its kind and a name unique within the kind."""

    kind: str
    name: str
    data: bytes


def partition(items: Iterable[Item], *, folder: str, limit: int = MAX_SHARD) -> dict[str, bytes]:
    """Files ``<folder>/<prefix>.json``: each ``{"<Kind>": [object, ...], ...}``, sorted by (kind, name).

    Kinds must be plain ASCII identifiers; (kind, name) must be unique. No items, no files. The files are
    in the order of their names.
    """
    hashed = sorted([(_hash(item.kind, item.name), item) for item in items])
    hashes = [each for each, _ in hashed]
    before = [0, *accumulate([len(item.data) + 1 for _, item in hashed])]  # bytes, each with its comma
    files: dict[str, bytes] = {}
    pending = [("", 0, len(hashed))] if hashed else []
    while pending:
        prefix, start, end = pending.pop()
        if end - start == 1 or before[end] - before[start] <= limit:
            data = _encode(sorted([item for _, item in hashed[start:end]]))
            if end - start == 1 or len(data) <= limit:
                files[_path(folder, prefix)] = data
                continue
        for digit in DIGITS_DOWN:  # so that the lowest comes first off the stack
            middle = bisect_left(hashes, prefix + digit, start, end)
            if middle < end:
                pending.append((prefix + digit, middle, end))
            end = middle
    return files


def _encode(members: Iterable[Item]) -> bytes:
    """``members`` in the order of their kinds and names."""
    parts: list[bytes] = []
    last, closing = "", "{"
    for kind, _, data in members:
        if kind == last:
            parts.append(b",")
        else:
            parts.append(f'{closing}"{kind}":['.encode())
            last, closing = kind, "],"
        parts.append(data)
    parts.append(b"]}")
    return b"".join(parts)


def _path(folder: str, prefix: str) -> str:
    return f"{folder}/{prefix or WHOLE}.json"


class Layout:
    """Are these the files ``partition`` makes of the objects in them? Asked file by file, so that whoever
    reads a large set never holds it twice, and never works at it for long in one piece.

    Every file is right by itself, and no two lie within one another, nor together where one would do:
    that leaves one layout.
    """

    def __init__(self, folder: str, limit: int = MAX_SHARD) -> None:
        self._folder = folder
        self._limit = limit
        self._above: defaultdict[str, _Divided] = defaultdict(_Divided)
        self._prefixes: list[str] = []

    def holds(self, path: str, data: bytes, members: Sequence[Item]) -> bool:
        """Whether ``data`` is how ``members``, read from it, are written, and they belong under ``path``."""
        prefix = path.removeprefix(f"{self._folder}/").removesuffix(".json")
        prefix = "" if prefix == WHOLE else prefix
        if not members or path != _path(self._folder, prefix) or data != _encode(members):
            return False
        places = [(item.kind, item.name) for item in members]
        if any(not _hash(kind, name).startswith(prefix) for kind, name in places):
            return False
        if any(after <= before for before, after in pairwise(places)):
            return False
        kinds = {kind for kind, _ in places}
        if len(members) > 1 and len(data) > self._limit:
            return False
        for length in range(len(prefix)):
            above = self._above[prefix[:length]]
            above.count += len(members)
            above.objects += len(data) - _bytes_around(kinds)
            above.kinds |= kinds
        self._prefixes.append(prefix)
        return True

    def misfit(self) -> str | None:
        """When all are told: the path of a file that ought not to be there, if any."""
        for prefix in self._prefixes:
            if prefix in self._above:
                return _path(self._folder, prefix)
            for length in range(len(prefix)):
                above = self._above[prefix[:length]]
                if above.count == 1 or above.objects + _bytes_around(above.kinds) <= self._limit:
                    return _path(self._folder, prefix)
        return None


@dataclass(slots=True)
class _Divided:
    """What lies in several files under one prefix."""

    count: int = 0
    objects: int = 0
    """Bytes of the objects and of a comma after each."""
    kinds: set[str] = field(default_factory=set)


@functools.lru_cache(MOST_KNOWN)
def _hash(kind: str, name: str) -> str:
    return sha256(f"{kind}/{name}".encode()).hexdigest()


def _bytes_around(kinds: Iterable[str]) -> int:
    """Of a shard with objects of ``kinds``, what is neither an object nor the comma after one: the last
    of each group has none, and there is one between two groups."""
    return 1 + sum(len(kind) + len('"":[]') for kind in kinds)
