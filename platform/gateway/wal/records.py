"""How is one fact of the log framed, so that half a frame is never taken for a whole one?

    magic (4) | kind (1) | length (4) | crc32 of kind, length and payload (4) | payload (JSON)

A reader that meets anything else looks for the next magic whose checksum holds: what is damaged costs
the records it covers and none after them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, cast
from zlib import crc32

MAGIC = b"HWU1"
_HEADER = struct.Struct("<4sBII")
_SIGNED = struct.Struct("<BI")
HEADER_BYTES = _HEADER.size
_begun_checksums: dict[int, int] = {}
"""Of kind and length, as far as they have occurred: records are short and alike."""
RECORD_LIMIT = 16 * 1024
"""Bytes of the largest record, header included."""

BEGAN: Final = 1
PASSED: Final = 2
ENDED: Final = 3
RecordKind = Literal[1, 2, 3]


class Record(NamedTuple):
    kind: RecordKind
    payload: bytes
    end: int
    """Offset after it, in the bytes scanned."""


def framed(kind: RecordKind, payload: bytes) -> bytes:
    length = len(payload)
    signed = length << 2 | kind
    begun = _begun_checksums.get(signed)
    if begun is None:
        begun = _begun_checksums[signed] = crc32(_SIGNED.pack(kind, length))
    return _HEADER.pack(MAGIC, kind, length, crc32(payload, begun)) + payload


def scan(data: bytes) -> Iterator[Record]:
    """The whole records in ``data``, in order. Damage between them is stepped over."""
    at = 0
    while (at := data.find(MAGIC, at)) >= 0:
        record = _record(data, at)
        if record is None:
            at += 1
        else:
            yield record
            at = record.end


def _record(data: bytes, at: int) -> Record | None:
    body = at + _HEADER.size
    if body > len(data):
        return None
    _, kind, length, checksum = _HEADER.unpack_from(data, at)
    end = body + length
    if kind not in (BEGAN, PASSED, ENDED) or end > len(data) or end - at > RECORD_LIMIT:
        return None
    payload = data[body:end]
    if crc32(payload, crc32(_SIGNED.pack(kind, length))) != checksum:
        return None
    return Record(cast(RecordKind, kind), payload, end)
