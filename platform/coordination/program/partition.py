"""How is a large set of named objects cut into small files, so that an edit rewrites few of them?

A file ("shard") holds the objects whose ``sha256(kind/name)`` starts with the file's name in hex. A
shard over ``MAX_SHARD`` is split by the next digit, so the layout is a function of the set alone, and
an object's neighbours are those of its hash: changing one object changes one shard. A single object
larger than ``MAX_SHARD`` cannot be split and gets a shard to itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import accumulate
from operator import itemgetter
from typing import NamedTuple

MAX_SHARD = 32 * 1024
"""Bytes. Small enough to decode between two requests without anyone noticing."""
WHOLE = "all"
"""Name of the shard that holds everything: the empty prefix."""
DIGITS = "0123456789abcdef"
PAST = "g"
"""Behind every digit."""


class Item(NamedTuple):
    """One object's canonical bytes, under its kind and a name unique within the kind."""

    kind: str
    name: str
    data: bytes


Hashed = tuple[str, Item]
_hash_of = itemgetter(0)


def partition(items: Iterable[Item], *, folder: str, limit: int = MAX_SHARD) -> dict[str, bytes]:
    """Files ``<folder>/<prefix>.json``: each ``{"<Kind>": [object, ...], ...}``, sorted by (kind, name).

    Kinds must be plain ASCII identifiers; (kind, name) must be unique. No items, no files.
    """
    hashed = sorted((sha256(f"{item.kind}/{item.name}".encode()).hexdigest(), item) for item in items)
    sums = [0, *accumulate(len(item.data) for _, item in hashed)]
    files: dict[str, bytes] = {}
    pending = [("", 0, len(hashed))] if hashed else []
    while pending:
        prefix, start, stop = pending.pop()
        if stop - start == 1 or _fits(hashed[start:stop], sums[stop] - sums[start], limit):
            files[f"{folder}/{prefix or WHOLE}.json"] = _encode(hashed[start:stop])
            continue
        for digit in DIGITS:  # what begins alike stands together
            until = bisect_left(hashed, prefix + digit + PAST, start, stop, key=_hash_of)
            if until > start:
                pending.append((prefix + digit, start, until))
            start = until
    return dict(sorted(files.items()))


def _fits(members: Sequence[Hashed], objects: int, limit: int) -> bool:
    """Whether the shard keeps to the limit, without building it; ``objects`` is the bytes of its objects."""
    commas = len(members) - 1
    if 2 + objects + commas > limit:
        return False
    kinds = {item.kind for _, item in members}
    return 2 + objects + commas + sum(len(kind) + len('"":[]') for kind in kinds) <= limit


def _encode(members: Sequence[Hashed]) -> bytes:
    by_kind: defaultdict[str, list[bytes]] = defaultdict(list)
    for item in sorted(item for _, item in members):
        by_kind[item.kind].append(item.data)
    groups = (b'"%s":[%s]' % (kind.encode(), b",".join(data)) for kind, data in by_kind.items())
    return b"{%s}" % b",".join(groups)
