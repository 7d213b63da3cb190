"""Why was this request refused, slow, or sent there? The explanations a gateway hands on.

Every refusal of a known tenant, everything that went wrong, everything slow, and a sample of the rest.
A prompt is in none of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from coordination.wire.fields import BootId, Code, Name, Natural, RequestId

Reason = Literal["refused", "failed", "slow", "sampled"]
"""Why it is told of."""
MAX_DOCUMENTS = 1_000
"""Explanations in one batch."""


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One request. What a list shows stands beside the document, so that nothing need look into it."""

    request_id: RequestId
    reason: Reason
    at: Natural
    """When it ended. Policy clock of the gateway, microseconds since 1970."""
    tenant: Name
    tier: Name
    model: Name
    code: Code | None
    """Of a refusal or a failure."""
    document: msgspec.Raw
    """The explanation, a JSON object: what ``GET /decisions/{id}`` of the gateway's admin port shows."""


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /api/v1/gateways/{id}/decisions``. Known by ``(gateway, boot_id, seq)``."""

    boot_id: BootId
    seq: Natural
    sent_at: Natural
    decisions: Annotated[tuple[Explained, ...], Meta(max_length=MAX_DOCUMENTS)]
    left_out: Annotated[dict[Code, Natural], Meta(max_length=100)] = {}
    """Refusals by code that were too many to explain one by one: counted, never silently dropped."""


def encode(batch: Batch) -> bytes:
    return msgspec.json.encode(batch)


def encode_explained(explained: Explained) -> bytes:
    return _ENCODER.encode(explained)


def join(boot_id: str, seq: int, sent_at: int, decisions: Sequence[bytes], left_out: dict[str, int]) -> bytes:
    """The batch of explanations that were encoded before, byte for byte."""
    head = msgspec.json.encode(
        {"boot_id": boot_id, "seq": seq, "sent_at": sent_at, "left_out": left_out},
    )
    return b'%b,"decisions":[%b]}' % (head[:-1], b",".join(decisions))


def decode(data: bytes) -> Batch:
    """Raises ``msgspec.ValidationError`` (or ``DecodeError``), whose text says where.

    The documents are checked to be JSON, and nothing else: they may hold integers beyond 64 bits.
    """
    return _DECODER.decode(data)


_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder(Batch)
