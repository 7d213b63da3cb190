"""What happened at a gateway in the last second, in numbers?

One batch a second, also when nothing happened: silence is a fault, not idleness. Every number is a
delta of the batch's own interval, so batches add up in any order, and a batch that arrives twice is
known by ``(gateway, boot_id, seq)``. The gateway is the one whose credential sent it. What could not be
sent waits, and goes out with what came after it, in order: one shipment holds several batches then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import msgspec
from msgspec import Meta

from coordination.sketch import Sketch
from coordination.wire.fields import BootId, Code, Name, Natural
from coordination.wire.status import Digest, GatewayStateName

INTERVAL_US = 1_000_000
MAX_SERIES = 4_000
"""Keys one batch may carry; what is beyond is counted under ``OTHER``."""
MAX_BATCHES = 60
"""Batches in one shipment."""
OTHER = "~other"
"""The tenant under which keys beyond ``MAX_SERIES`` are added up. No tenant's name begins with ``~``."""

SketchBytes = Annotated[bytes, Meta(max_length=16 * 1024)]
"""``Sketch.to_bytes`` of microseconds; empty when nothing was counted. Base64 in JSON."""

Objectives = Annotated[
    dict[Annotated[str, Meta(max_length=100)], tuple[Natural, Natural]], Meta(max_length=100)
]
"""How often each promise was kept, of how often it was given."""


class Series(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one (tenant, tier, model, pool, replica) saw end in the interval.

    ``requests == completed + aborted + failed + sum(refused.values())``: each request is counted once,
    in the interval it ended in, whatever it ended as.
    """

    tenant: Name = ""
    """Full path; empty for a request nobody could be named for (no key, a wrong key)."""
    tier: Name = ""
    """Tier served; before a tier was given, empty."""
    model: Name = ""
    pool: Name = ""
    replica: Name | None = None
    """Base URL; ``None`` for requests that never reached one."""

    requests: Natural = 0
    completed: Natural = 0
    """Answered wholly."""
    aborted: Natural = 0
    """The client left first."""
    failed: Natural = 0
    """We or the engine failed: no answer, or one cut short. Counts against the objective."""
    refused: Annotated[dict[Code, Natural], Meta(max_length=100)] = {}
    """By code. ``engine_refused`` is the engine's own 4xx."""
    reserved: Natural = 0
    """Served in the reservation's lane."""
    spilled: Natural = 0
    """Had a reservation that was full, and went on as ordinary traffic."""
    promised: Natural = 0
    """Streamed within the part of a reservation that is promised its first byte in time (R8)."""
    honoured: Natural = 0
    """Of these, had it in time."""

    objectives: Objectives = {}
    """By ``ObjectiveRecord.key``, of those of the tier's that are counted: (kept, given)."""

    uncached_input: Natural = 0
    cached_input: Natural = 0
    output: Natural = 0
    """Tokens settled, reasoning among the output: the same numbers as in the usage events."""
    streamed: Natural = 0
    """Output tokens counted while they passed: for rates. ``output`` is what was settled, at the end."""

    ttft: SketchBytes = b""
    """Arrival to first byte, of streamed answers."""
    itl: SketchBytes = b""
    """Between output tokens of a stream: a read that brings n tokens counts n times its n-th part."""
    e2e: SketchBytes = b""
    """Arrival to the end, of completed requests."""
    queue: SketchBytes = b""
    """Admission to the first dispatch."""


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that wait in one band of one pool, at ``sent_at``."""

    pool: Name
    band: Natural
    depth: Natural
    oldest_us: Natural
    """How long the oldest has waited."""


class Replica(msgspec.Struct, frozen=True, kw_only=True):
    """One replica as this gateway last saw it. ``None`` is unknown, never zero."""

    pool: Name
    replica: Name
    reachable: bool | None = None
    running: Natural | None = None
    waiting: Natural | None = None
    kv_used_ppm: Natural | None = None
    age_ms: Natural | None = None
    """Age of the engine's page these were read from."""


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """How the write-ahead log of usage is doing."""

    recording: bool = True
    """New attempts are recorded: there is room, and the disk answers."""
    unrecorded: Natural = 0
    """Attempts served without a record in the interval; only their memory copy goes to the ledger."""
    unsent: Natural = 0
    """Events not yet acknowledged."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One interval of one gateway. Unknown fields are ignored: a newer gateway may say more."""

    boot_id: BootId
    seq: Natural
    """1, 2, 3 ... within one boot. A gap is a batch that was given up (more than 30 minutes late)."""
    started_at: Natural
    """Begin of the interval."""
    interval_us: Natural
    sent_at: Natural
    """End of the interval, on the same clock as ``started_at``."""
    bundle: Digest
    state: GatewayStateName
    series: Annotated[tuple[Series, ...], Meta(max_length=MAX_SERIES + 100)] = ()
    queues: Annotated[tuple[Queue, ...], Meta(max_length=1_000)] = ()
    replicas: Annotated[tuple[Replica, ...], Meta(max_length=2_000)] = ()
    ledger: Ledger | None = None
    """``None``: this gateway keeps no log of usage."""


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /api/v1/gateways/{id}/telemetry``. Any 2xx acknowledges all of it."""

    sent_at: Natural
    """When it was sent, on the clock of its batches: what it differs from the receiver's is their skew."""
    batches: Annotated[tuple[Batch, ...], Meta(min_length=1, max_length=MAX_BATCHES)]
    """The oldest first."""


def encode(batch: Batch) -> bytes:
    return _ENCODER.encode(batch)


def decode_batch(data: bytes) -> Batch:
    """Raises ``msgspec.ValidationError`` (or ``DecodeError``), whose text says where."""
    return _BATCH_DECODER.decode(data)


def join(sent_at: int, batches: Sequence[bytes]) -> bytes:
    """The shipment of batches that were encoded before, byte for byte."""
    return b'{"sent_at":%d,"batches":[%b]}' % (sent_at, b",".join(batches))


def decode(data: bytes) -> Shipment:
    """Raises ``msgspec.ValidationError`` (or ``DecodeError``), whose text says where."""
    return _DECODER.decode(data)


def sketch_of(data: bytes) -> Sketch:
    """What a ``SketchBytes`` field counted. Raises ``MalformedSketch``."""
    return Sketch.from_bytes(data) if data else Sketch()


_ENCODER = msgspec.json.Encoder()
_BATCH_DECODER = msgspec.json.Decoder(Batch)
_DECODER = msgspec.json.Decoder(Shipment)
