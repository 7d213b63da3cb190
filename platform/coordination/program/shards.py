"""Which files carry a compiled policy, and what policy do these files carry?

``encode`` and ``decode`` are exact inverses: ``decode`` accepts only what ``encode`` writes, so two
different sets of bytes never stand for one program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, TypeVar

import msgspec

from coordination.program.canonical import canonical_bytes, record_bytes
from coordination.program.partition import Item, Layout, partition
from coordination.program.pieces import in_order
from coordination.program.records import (
    Micros,
    ModelRecord,
    PoolRecord,
    PriceBookRecord,
    ProgramRecords,
    QuotaRecord,
    Record,
    ReservationRecord,
    RouteRecord,
    TenantRecord,
    TierRecord,
    Vector,
)

PROGRAM = "program"
HEADER = f"{PROGRAM}/program.json"
SELF_TESTS = "selftest"

KIND_FIELDS: dict[str, str] = {
    "Model": "models",
    "Pool": "pools",
    "Tenant": "tenants",
    "Tier": "tiers",
    "Reservation": "reservations",
    "Quota": "quotas",
    "PriceBook": "price_books",
    "Route": "routes",
}
"""Kind of a document -> field of ``ProgramRecords``."""

_SORTED_KINDS = sorted(KIND_FIELDS)
"""As a shard has them."""

_T = TypeVar("_T")
_name_of = attrgetter("name")


class MalformedProgramError(ValueError):
    """Files that ``encode`` would not have written."""

    def __init__(self, path: str, message: str, json_pointer: str = "") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
        self.json_pointer = json_pointer


class Header(Record, frozen=True):
    """What belongs to the whole program; the counts notice a shard that is missing."""

    environment: str
    at: Micros
    counts: dict[str, int]


class Shard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Objects of one hash prefix, by kind."""

    Model: tuple[ModelRecord, ...] = ()
    Pool: tuple[PoolRecord, ...] = ()
    Tenant: tuple[TenantRecord, ...] = ()
    Tier: tuple[TierRecord, ...] = ()
    Reservation: tuple[ReservationRecord, ...] = ()
    Quota: tuple[QuotaRecord, ...] = ()
    PriceBook: tuple[PriceBookRecord, ...] = ()
    Route: tuple[RouteRecord, ...] = ()


class VectorShard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    Vector: tuple[Vector, ...] = ()


def encode(records: ProgramRecords) -> dict[str, bytes]:
    """Files under ``program/``: a header, and shards of at most 32 KB.

    Raises ``NotCanonicalError`` for an integer beyond ±(2^53 - 1) and ``ValueError`` for records
    that are not sorted by name or share one: order is meaning nobody would see in the shards.
    """
    items: list[Item] = []
    counts: dict[str, int] = {}
    for kind, field in KIND_FIELDS.items():
        group: tuple[Any, ...] = getattr(records, field)
        names = [record.name for record in group]
        if names != sorted(set(names)):
            raise ValueError(f"{field} are not sorted by name, or a name appears twice")
        counts[kind] = len(group)
        items.extend(_items(kind, group))
    header = Header(environment=records.environment, at=records.at, counts=counts)
    return {HEADER: record_bytes(header)} | partition(items, folder=PROGRAM)


def decode(files: Mapping[str, bytes]) -> ProgramRecords:
    """The program in ``files`` (paths under ``program/``, nothing else).

    Raises ``MalformedProgramError``, naming the file and where in it.
    """
    if HEADER not in files:
        raise MalformedProgramError(HEADER, "the file is missing")
    header = next(read_shards({HEADER: files[HEADER]}, Header))
    shards = {path: data for path, data in files.items() if path != HEADER}
    groups: dict[str, list[Any]] = {kind: [] for kind in KIND_FIELDS}
    layout = Layout(PROGRAM)
    for path, shard in zip(sorted(shards), read_shards(shards, Shard), strict=True):
        found = {kind: getattr(shard, kind) for kind in _SORTED_KINDS}
        _require_same(layout, path, files[path], found)
        for kind, records in found.items():
            groups[kind] += records
    counts = {kind: len(records) for kind, records in groups.items()}
    if files[HEADER] != record_bytes(Header(environment=header.environment, at=header.at, counts=counts)):
        raise MalformedProgramError(HEADER, "not the canonical header of the objects in the shards")
    _require_no_more(layout)
    return ProgramRecords(
        environment=header.environment,
        at=header.at,
        **{field: tuple(in_order(groups[kind], _name_of)) for kind, field in KIND_FIELDS.items()},
    )


def encode_vectors(vectors: list[Vector] | tuple[Vector, ...]) -> dict[str, bytes]:
    """Files under ``selftest/``. Names must be unique."""
    if len({vector.name for vector in vectors}) != len(vectors):
        raise ValueError("two self-tests share a name")
    return partition(_items("Vector", vectors), folder=SELF_TESTS)


def decode_vectors(files: Mapping[str, bytes]) -> list[Vector]:
    """The self-tests in ``files``, sorted by name; ``MalformedProgramError`` as for ``decode``."""
    vectors: list[Vector] = []
    layout = Layout(SELF_TESTS)
    for path, shard in zip(sorted(files), read_shards(files, VectorShard), strict=True):
        _require_same(layout, path, files[path], {"Vector": shard.Vector})
        vectors += shard.Vector
    _require_no_more(layout)
    vectors.sort(key=_name_of)
    return vectors


def read_shards(files: Mapping[str, bytes], shape: type[_T]) -> Iterator[_T]:
    """Each file as ``shape``, one at a time, so that a caller may pause between two of them."""
    decoder = msgspec.json.Decoder(shape)
    for path, data in sorted(files.items()):
        try:
            yield decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedProgramError(path, str(error)) from None


def _items(kind: str, records: Sequence[Any]) -> list[Item]:
    if kind == "Reservation":
        return _reservations(records)
    return [Item(kind, record.name, record_bytes(record)) for record in records]


def _reservations(records: Sequence[ReservationRecord]) -> list[Item]:
    """What recurs has hundreds of intervals, and what has the same hours the same ones: written once."""
    written: dict[int, bytes] = {}
    items: list[Item] = []
    for record in records:
        intervals = record.intervals
        if id(intervals) not in written:
            written[id(intervals)] = b'"intervals":%s' % canonical_bytes(msgspec.to_builtins(intervals))
        # No text can hold what is replaced: a quotation mark within one is escaped.
        data = record_bytes(msgspec.structs.replace(record, intervals=()))
        data = data.replace(b'"intervals":[]', written[id(intervals)])
        items.append(Item("Reservation", record.name, data))
    return items


def _require_same(layout: Layout, path: str, data: bytes, found: Mapping[str, Sequence[Any]]) -> None:
    """Encoding what was read must give back every byte: this covers order, layout and spelling."""
    try:
        members = [item for kind, records in found.items() for item in _items(kind, records)]
    except ValueError as error:
        raise MalformedProgramError(path, str(error)) from None
    if not layout.holds(path, data, members):
        raise MalformedProgramError(path, "not the canonical shard of the objects it holds")


def _require_no_more(layout: Layout) -> None:
    if (path := layout.misfit()) is not None:
        raise MalformedProgramError(path, "not in the canonical division into shards")
