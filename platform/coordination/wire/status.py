"""What does a gateway say of itself: what it was told, what it tried, what it runs?"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

GatewayStateName = Literal[
    "starting", "fetching", "verifying", "testing", "activating", "active", "rejected", "stale"
]
Digest = Annotated[str, Meta(pattern=r"^(sha256:[0-9a-f]{64})?\Z")]
"""A digest, or nothing yet."""
Natural = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Short = Annotated[str, Meta(max_length=300)]


class StatusError(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last attempt was refused."""

    code: Annotated[str, Meta(max_length=64)]
    message: Short
    json_pointer: Short = ""


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """``POST /api/v1/gateways/{id}/status``. Unknown fields are ignored: a newer gateway may say more."""

    boot_id: Annotated[str, Meta(max_length=64)]
    """Changes with each start of the gateway."""
    seq: Natural
    """Grows with each report of one boot: an older report never overwrites a newer one."""
    sent_at: Natural
    """The gateway's own clock, microseconds since 1970: skew is read from it."""
    serial: Natural
    version: Natural
    desired: Digest
    attempted: Digest
    applied: Digest
    applied_directory: Digest
    state: GatewayStateName
    error: StatusError | None = None
    timings: dict[Annotated[str, Meta(max_length=32)], Natural] = {}
    """Microseconds by step."""
    capabilities: Annotated[tuple[Short, ...], Meta(max_length=64)] = ()


def encode(status: Status) -> bytes:
    return msgspec.json.encode(status)


def decode(data: bytes) -> Status:
    """Raises ``msgspec.ValidationError`` (or ``DecodeError``), whose text says where."""
    return msgspec.json.decode(data, type=Status)
