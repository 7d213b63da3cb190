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

import msgspec

from coordination.wire.usage import Event

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


class Begun(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An attempt was about to be sent. Written first, so that no replica works for nobody's account."""

    request_id: str
    attempt: int
    tenant: str
    key_id: str
    model: str
    tier: str
    pool: str
    replica: str
    uncached_input: int
    """As estimated at admission."""
    cached_input: int
    bundle: str
    at: int
    """Policy clock, microseconds."""


class Passed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Its first byte came (``output`` 0), or 256 more output tokens did."""

    request_id: str
    attempt: int
    output: int
    at: int


class Record(NamedTuple):
    kind: RecordKind
    payload: bytes
    end: int
    """Offset after it, in the bytes scanned."""


class Key(msgspec.Struct, frozen=True):
    """What of an event names the attempt it ends."""

    request_id: str
    attempt: int


decode_begun = msgspec.json.Decoder(Begun).decode
decode_passed = msgspec.json.Decoder(Passed).decode
decode_key = msgspec.json.Decoder(Key).decode
encode = msgspec.json.Encoder().encode


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


def interrupted(begun: Begun, last: Passed | None) -> Event:
    """How an attempt ends that was open when its gateway was killed: with what was last written of it.

    The same records always give the same event, so that telling of it twice is harmless. Before the
    first byte nothing is known to have been done, and nothing is charged.
    """
    return Event(
        request_id=begun.request_id,
        attempt=begun.attempt,
        kind="interrupted",
        outcome="interrupted",
        counted_by="gateway",
        tenant=begun.tenant,
        key_id=begun.key_id,
        model=begun.model,
        tier=begun.tier,
        pool=begun.pool,
        replica=begun.replica,
        reservation=None,
        uncached_input=begun.uncached_input if last else 0,
        cached_input=begun.cached_input if last else 0,
        cache_write=0,
        output=last.output if last else 0,
        reasoning=0,
        started_at=begun.at,
        ended_at=last.at if last else begun.at,
        bundle=begun.bundle,
        spend_nano=None,
    )
