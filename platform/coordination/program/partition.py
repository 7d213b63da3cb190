"""How is a large set of named objects cut into small files, so that an edit rewrites few of them?

A file ("shard") holds the objects whose ``sha256(kind/name)`` starts with the file's name in hex. A
shard over ``MAX_SHARD`` is split by the next digit, so the layout is a function of the set alone, and
an object's neighbours are those of its hash: changing one object changes one shard. A single object
larger than ``MAX_SHARD`` cannot be split and gets a shard to itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

MAX_SHARD = 32 * 1024
"""Bytes. Small enough to decode between two requests without anyone noticing."""
WHOLE = "all"
"""Name of the shard that holds everything: the empty prefix."""


class Item(NamedTuple):
    """One object's canonical bytes, under its kind and a name unique within the kind."""

    kind: str
    name: str
    data: bytes


def partition(items: Iterable[Item], *, folder: str, limit: int = MAX_SHARD) -> dict[str, bytes]:
    """Files ``<folder>/<prefix>.json``: each ``{"<Kind>": [object, ...], ...}``, sorted by (kind, name).

    Kinds must be plain ASCII identifiers; (kind, name) must be unique. No items, no files.
    """
    hashed = sorted((sha256(f"{item.kind}/{item.name}".encode()).hexdigest(), item) for item in items)
    files: dict[str, bytes] = {}
    pending = [("", hashed)] if hashed else []
    while pending:
        prefix, members = pending.pop()
        if _size(members) <= limit or len(members) == 1:
            files[f"{folder}/{prefix or WHOLE}.json"] = _encode(members)
            continue
        groups: defaultdict[str, list[tuple[str, Item]]] = defaultdict(list)
        for member in members:
            groups[member[0][: len(prefix) + 1]].append(member)
        pending.extend(groups.items())
    return dict(sorted(files.items()))


def _size(members: Sequence[tuple[str, Item]]) -> int:
    """Bytes of the shard, without building it."""
    kinds = {item.kind for _, item in members}
    objects = sum([len(item.data) for _, item in members])
    commas = len(members) - len(kinds) + len(kinds) - 1
    return 2 + objects + commas + sum(len(kind) + len('"":[]') for kind in kinds)


def _encode(members: Sequence[tuple[str, Item]]) -> bytes:
    by_kind: defaultdict[str, list[bytes]] = defaultdict(list)
    for item in sorted(item for _, item in members):
        by_kind[item.kind].append(item.data)
    groups = (b'"%s":[%s]' % (kind.encode(), b",".join(data)) for kind, data in by_kind.items())
    return b"{%s}" % b",".join(groups)
