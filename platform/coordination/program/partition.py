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
from operator import itemgetter
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


Hashed = tuple[str, Item]
_kind_and_name = itemgetter(0, 1)


def partition(items: Iterable[Item], *, folder: str, limit: int = MAX_SHARD) -> dict[str, bytes]:
    """Files ``<folder>/<prefix>.json``: each ``{"<Kind>": [object, ...], ...}``, sorted by (kind, name).

    Kinds must be plain ASCII identifiers; (kind, name) must be unique. No items, no files.
    """
    ordered = sorted(items, key=_kind_and_name)
    hashed = [(sha256(f"{item.kind}/{item.name}".encode()).hexdigest(), item) for item in ordered]
    files: dict[str, bytes] = {}
    pending = [("", hashed)] if hashed else []
    while pending:
        prefix, members = pending.pop()
        if len(members) == 1 or _fits(members, limit):
            files[f"{folder}/{prefix or WHOLE}.json"] = _encode(members)
            continue
        at = len(prefix)
        divided: defaultdict[str, list[Hashed]] = defaultdict(list)
        for member in members:  # in their order, which each part thereby keeps
            divided[member[0][at]].append(member)
        pending += ((prefix + digit, part) for digit, part in divided.items())
    return dict(sorted(files.items()))


def _fits(members: Sequence[Hashed], limit: int) -> bool:
    """Whether the shard keeps to the limit, without building it."""
    size = 2 + sum([len(item.data) for _, item in members]) + len(members) - 1
    if size > limit:
        return False
    kinds = {item.kind for _, item in members}
    return size + sum(len(kind) + len('"":[]') for kind in kinds) <= limit


def _encode(members: Sequence[Hashed]) -> bytes:
    """``members`` in the order of their kinds and names."""
    by_kind: defaultdict[str, list[bytes]] = defaultdict(list)
    for _, item in members:
        by_kind[item.kind].append(item.data)
    groups = [b'"%s":[%s]' % (kind.encode(), b",".join(data)) for kind, data in by_kind.items()]
    return b"{%s}" % b",".join(groups)
