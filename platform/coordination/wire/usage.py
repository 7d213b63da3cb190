"""Which tokens did each attempt use, for whom, at what price?

An event is immutable and known by ``(gateway, request_id, attempt, kind)``: sent at least once, it may
arrive again, in any order, from a later boot, and is then equal field by field. The same key with
other content is a fault to be looked at, never an update.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from coordination.wire.fields import BootId, Name, Natural, RequestId
from coordination.wire.status import Digest

Kind = Literal["settled", "interrupted", "failed"]
"""``settled``: the attempt ended under the gateway's eyes. ``interrupted``: the gateway was killed while
it was open; the figures are the last ones written, a lower bound. ``failed``: ended before its first
byte, and nothing is charged; another attempt may follow, or have been made beside it."""
Outcome = Literal["completed", "aborted", "failed", "interrupted"]
"""``aborted``: the client left; of an attempt that is ``failed``, another of the same request answered first
(hedging). ``failed``: we or the engine broke off, or the engine refused it."""
CountedBy = Literal["engine", "gateway"]
"""``engine``: its own usage report. ``gateway``: input as estimated at admission, output as it passed."""

MAX_EVENTS = 2_000
"""Events in one batch."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One attempt that reached a replica. The token classes are disjoint: their sum is what was used."""

    request_id: RequestId
    attempt: Annotated[int, Meta(ge=1, le=1_000)]
    kind: Kind
    outcome: Outcome
    counted_by: CountedBy
    tenant: Name
    key_id: Name
    model: Name
    """Name of the Model document."""
    tier: Name
    """Tier served, and billed as."""
    pool: Name
    replica: Name
    """Base URL."""
    reservation: Name | None
    """The reservation that paid with its lane."""
    uncached_input: Natural
    cached_input: Natural
    cache_write: Natural
    output: Natural
    """Without ``reasoning``."""
    reasoning: Natural
    started_at: Natural
    """The attempt was sent. Policy clock of the gateway, microseconds since 1970."""
    ended_at: Natural
    bundle: Digest
    """The policy it was admitted under."""
    spend_nano: Natural | None
    """Price by the gateway's price book, in thousand-millionths of its currency; ``None`` = not priced."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /api/v1/gateways/{id}/usage``. Any 2xx acknowledges all of it."""

    boot_id: BootId
    """Of the boot that sends, which need not be the one that served."""
    seq: Natural
    sent_at: Natural
    """On the clock the events of this boot are on: what it differs from the receiver's is their skew."""
    events: Annotated[tuple[Event, ...], Meta(max_length=MAX_EVENTS)]


def encode(batch: Batch) -> bytes:
    return msgspec.json.encode(batch)


def encode_event(event: Event) -> bytes:
    return _ENCODER.encode(event)


def join(boot_id: str, seq: int, sent_at: int, events: Sequence[bytes]) -> bytes:
    """The batch of events that were encoded before, byte for byte."""
    head = msgspec.json.encode({"boot_id": boot_id, "seq": seq, "sent_at": sent_at})
    return b'%b,"events":[%b]}' % (head[:-1], b",".join(events))


def decode(data: bytes) -> Batch:
    """Raises ``msgspec.ValidationError`` (or ``DecodeError``), whose text says where."""
    return _DECODER.decode(data)


def decode_event(data: bytes) -> Event:
    """Raises ``msgspec.ValidationError`` (or ``DecodeError``)."""
    return _EVENT_DECODER.decode(data)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Batch)
_EVENT_DECODER = msgspec.json.Decoder(Event)
