"""Which digest names a whole set of documents, and which stored objects change with one of them?

A Merkle tree of three levels, each object canonical JSON::

    root    {kind: digest of its index}
    index   {shard: digest of the shard}      at most 256, by the first byte of sha256(name)
    shard   {name: digest of the document}

An edit writes one shard, one index and the root, however many documents there are; the root of an
offline build is the root the server keeps, because both are functions of the documents alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NamedTuple

from coordination.program.canonical import canonical_bytes, parse_canonical, sha256_digest, table_bytes

Load = Callable[[str], bytes]
"""A digest -> the stored bytes of that tree object."""

EMPTY = sha256_digest(b"{}")
"""The root of a set without documents."""


class Entry(NamedTuple):
    """One document as the tree knows it."""

    kind: str
    name: str
    digest: str


@dataclass(frozen=True, slots=True)
class Grown:
    """A root, and the objects under it that the tree it came from did not have to have."""

    root: str
    objects: Mapping[str, bytes] = field(default_factory=dict)


def shard_of(name: str) -> str:
    """Two hex digits: which of its kind's 256 shards holds ``name``."""
    return sha256(name.encode()).hexdigest()[:2]


def grow(root: str, load: Load, changes: Mapping[tuple[str, str], str | None]) -> Grown:
    """The tree after ``changes``: (kind, name) -> digest of the new document, or None to drop it.

    Reads and writes only the objects on the way to what changed. Emptied shards and kinds vanish, so
    a set has one tree, whatever its history.
    """
    written: dict[str, bytes] = {}

    def read(digest: str | None) -> dict[str, Any]:
        if digest is None or digest == EMPTY:
            return {}
        parsed: dict[str, Any] = parse_canonical(load(digest))
        return parsed

    def write(value: Mapping[str, str]) -> str | None:
        if not value:
            return None
        data = canonical_bytes(dict(value))
        digest = sha256_digest(data)
        written[digest] = data
        return digest

    def replace(holder: dict[str, Any], key: str, digest: str | None) -> None:
        if digest is None:
            holder.pop(key, None)
        else:
            holder[key] = digest

    grouped: dict[str, dict[str, dict[str, str | None]]] = {}
    for (kind, name), digest in changes.items():
        grouped.setdefault(kind, {}).setdefault(shard_of(name), {})[name] = digest
    kinds = read(root)
    for kind, by_shard in grouped.items():
        index = read(kinds.get(kind))
        for shard, names in by_shard.items():
            members = read(index.get(shard))
            for name, digest in names.items():
                replace(members, name, digest)
            replace(index, shard, write(members))
        replace(kinds, kind, write(index))
    data = canonical_bytes(kinds)
    written[sha256_digest(data)] = data
    return Grown(sha256_digest(data), written)


def root_of(entries: Iterable[Entry]) -> str:
    """The root of a whole set. (kind, name) must be unique."""
    kinds: defaultdict[str, defaultdict[str, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for kind, name, digest in entries:
        members = kinds[kind][shard_of(name)]
        if name in members:
            raise ValueError(f"{kind} {name} appears twice")
        members[name] = digest
    indices = {
        kind: {shard: _digest_of(members) for shard, members in shards.items()}
        for kind, shards in kinds.items()
    }
    return _digest_of({kind: _digest_of(index) for kind, index in indices.items()})


def _digest_of(table: Mapping[str, str]) -> str:
    return sha256_digest(table_bytes(table))


def walk(root: str, load: Load) -> Iterator[Entry]:
    """Every document under ``root``, by kind, then shard, then name."""
    if root == EMPTY:
        return
    for kind, index in parse_canonical(load(root)).items():
        for shard in parse_canonical(load(index)).values():
            for name, digest in parse_canonical(load(shard)).items():
                yield Entry(kind, name, digest)
