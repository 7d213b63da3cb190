"""What do the hubs of several web processes tell each other? Everything a hub acts on, whichever it met."""

from __future__ import annotations

from typing import Any

import msgspec

from coordination.wire.telemetry import Batch


class Arrived(msgspec.Struct, frozen=True, tag="batch", array_like=True):
    """Batches of one gateway, each with the second of our clock it tells of."""

    environment: str
    gateway: str
    batches: tuple[tuple[int, Batch], ...]
    skew_us: int = 0
    """Our clock minus the gateway's, with the way between."""


class Happened(msgspec.Struct, frozen=True, tag="event", array_like=True):
    """Something on an event channel (``decisions``, ``releases``, ``alerts``, ``health``,
    ``simulations``)."""

    environment: str
    channel: str
    kind: str
    at_ms: int
    facts: dict[str, Any]


class Revoked(msgspec.Struct, frozen=True, tag="revoked", array_like=True):
    """Somebody's rights may have changed: look at their sockets now."""

    user: int


Message = Arrived | Happened | Revoked


def encode(message: Message) -> bytes:
    return msgspec.msgpack.encode(message)


def decode(data: bytes) -> Message:
    """Raises ``msgspec.DecodeError``."""
    return _DECODER.decode(data)


_DECODER: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
