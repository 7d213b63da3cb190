"""Which bundle and which directory should a ring run? Small, signed, short-lived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from coordination.bundle import dsse
from coordination.bundle.keys import PublicKey, SigningKey
from coordination.bundle.refusals import refuse
from coordination.bundle.values import Count, Digest, Instant, Name, Value, check, decode, encode

FILE = "pointer.dsse.json"
MAX_OVERRIDES = 32

OverrideKind = Literal[
    "block_tenant", "block_key", "drain_pool", "drain_replica", "freeze_releases", "raise_limit"
]


class Override(Value, frozen=True):
    """An emergency measure that ends by itself. A gateway that cannot enforce it refuses the pointer."""

    kind: OverrideKind
    subject: str
    """What it is about: a tenant's path, a key id, a pool, a replica's URL, a quota."""
    amount_ppm: Annotated[int, Meta(ge=0, le=2_000_000)] | None
    """``raise_limit`` only: the factor, at most twice."""
    expires_at: Instant
    reason: str


class Pointer(Value, frozen=True, omit_defaults=True):
    """One movement of one ring."""

    environment: Name
    ring: Name
    serial: Count
    """The ring's own counter."""
    version: Count
    """The environment's release number."""
    bundle: Digest
    directory: Digest
    overrides: Annotated[tuple[Override, ...], Meta(max_length=MAX_OVERRIDES)]
    issued_at: Instant
    expires_at: Instant
    rollback_of: Count | None = None
    """The version whose bundle is brought back, if this release is a rollback."""

    @property
    def order(self) -> tuple[int, int]:
        """A gateway only ever moves to a greater one: heartbeats renew ``issued_at`` alone."""
        return (self.serial, self.issued_at)

    @property
    def lifetime(self) -> int:
        """Microseconds."""
        return self.expires_at - self.issued_at


def require_after(found: Pointer, known: Pointer | None) -> None:
    """Refuse (``RefusedError``) to move from ``known`` to anything but itself or a greater pointer."""
    if known is not None and found != known and found.order <= known.order:
        raise refuse(
            "replayed_serial",
            f"(serial, issued_at) {found.order} does not follow {known.order}",
            file=FILE,
            json_pointer="/serial",
        )


def sign_pointer(pointer: Pointer, keys: Iterable[SigningKey]) -> bytes:
    """The envelope. ``ValueError`` if the pointer breaks its own rules."""
    checked = check(pointer)
    if checked.expires_at <= checked.issued_at:
        raise ValueError("the pointer would expire before it is issued")
    return dsse.sign(encode(checked), dsse.POINTER, keys)


def renew(pointer: Pointer, *, issued_at: int, lifetime: int) -> Pointer:
    """The heartbeat of ``pointer``: same serial, newer ``issued_at``; microseconds."""
    return msgspec.structs.replace(pointer, issued_at=issued_at, expires_at=issued_at + lifetime)


def open_pointer(envelope: bytes, trusted: Mapping[str, PublicKey], *, threshold: int = 1) -> Pointer:
    """The pointer of a verified envelope. Whether it may be followed is for acceptance to say.

    Raises ``RefusedError``: those of ``dsse.verify``, or ``malformed_pointer``.
    """
    payload = dsse.verify(envelope, dsse.POINTER, trusted, threshold=threshold, file=FILE)
    pointer = decode(payload, Pointer, code="malformed_pointer", file=FILE)
    if pointer.expires_at <= pointer.issued_at:
        raise refuse(
            "malformed_pointer", "expires before it was issued", file=FILE, json_pointer="/expires_at"
        )
    return pointer
