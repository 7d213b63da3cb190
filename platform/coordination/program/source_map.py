"""Where does each number of the compiled form come from?

A record is traced to the document of the same kind and name, field by field. File and line are not
recorded: a bundle is a function of the documents, so that a comment or a renamed file cannot change a
digest and an offline build equals the server's. Whoever holds the files joins the pointer with the
reader's positions.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from coordination.program.canonical import record_bytes
from coordination.program.partition import Item, partition
from coordination.program.records import Record
from coordination.program.shards import MalformedProgramError, read_shards

FOLDER = "source_map"


class SourceEntry(Record, frozen=True):
    """The origin of one record."""

    kind: str
    """Kind of both the record and its document: ``Tenant``, ``Pool``, ..."""
    name: str
    document: str
    """Digest of the document's canonical bytes."""
    fields: dict[str, str]
    """JSON pointer into the record -> JSON pointer into the document, e.g.
    ``/limits/0/limit`` -> ``/spec/limits/0/limit``. Fields that took a default are absent."""


@dataclass(frozen=True, slots=True)
class SourceMap:
    """Every record's origin, sorted by (kind, name)."""

    entries: tuple[SourceEntry, ...]

    @classmethod
    def of(cls, entries: Iterable[SourceEntry]) -> SourceMap:
        return cls(tuple(sorted(entries, key=lambda entry: (entry.kind, entry.name))))

    def find(self, kind: str, name: str) -> SourceEntry | None:
        at = bisect_left(self.entries, (kind, name), key=lambda entry: (entry.kind, entry.name))
        if at < len(self.entries) and (self.entries[at].kind, self.entries[at].name) == (kind, name):
            return self.entries[at]
        return None


def encode_source_map(source_map: SourceMap) -> dict[str, bytes]:
    """Files under ``source_map/``."""
    return partition(
        (Item(entry.kind, entry.name, record_bytes(entry)) for entry in source_map.entries),
        folder=FOLDER,
    )


def decode_source_map(files: Mapping[str, bytes]) -> SourceMap:
    """The inverse of ``encode_source_map``; anything it would not have written is refused."""
    groups = read_shards(files, dict[str, tuple[SourceEntry, ...]])
    source_map = SourceMap.of(entry for group in groups for entries in group.values() for entry in entries)
    if encode_source_map(source_map) != dict(files):
        raise MalformedProgramError(FOLDER, "the source map is not in canonical shards")
    return source_map
