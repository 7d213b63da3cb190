"""Which bundle and which directory should a ring run? Small, signed, short-lived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated

import msgspec
from msgspec import Meta

from coordination.bundle import dsse
from coordination.bundle.keys import PublicKey, SigningKey
from coordination.bundle.overrides import MAX_OVERRIDES, Override, require_sound
from coordination.bundle.refusals import refuse
from coordination.bundle.values import Count, Digest, Instant, Name, Value, check, decode, encode

FILE = "pointer.dsse.json"


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
    """The envelope. ``ValueError`` if the pointer breaks its rules, ``RefusedError`` if an override does."""
    checked = check(pointer)
    if checked.expires_at <= checked.issued_at:
        raise ValueError("the pointer would expire before it is issued")
    _require_sound_overrides(checked)
    return dsse.sign(encode(checked), dsse.POINTER, keys)


def renew(pointer: Pointer, *, issued_at: int, lifetime: int) -> Pointer:
    """The heartbeat of ``pointer``: same serial, newer ``issued_at``; microseconds."""
    return msgspec.structs.replace(pointer, issued_at=issued_at, expires_at=issued_at + lifetime)


def open_pointer(envelope: bytes, trusted: Mapping[str, PublicKey], *, threshold: int = 1) -> Pointer:
    """The pointer of a verified envelope. Whether it may be followed is for acceptance to say.

    Raises ``RefusedError``: those of ``dsse.verify``, ``malformed_pointer``, or an override's fault.
    """
    payload = dsse.verify(envelope, dsse.POINTER, trusted, threshold=threshold, file=FILE)
    pointer = decode(payload, Pointer, code="malformed_pointer", file=FILE)
    if pointer.expires_at <= pointer.issued_at:
        raise refuse(
            "malformed_pointer", "expires before it was issued", file=FILE, json_pointer="/expires_at"
        )
    _require_sound_overrides(pointer)
    return pointer


def _require_sound_overrides(pointer: Pointer) -> None:
    ids = [override.id for override in pointer.overrides]
    if len(set(ids)) != len(ids):
        raise refuse("malformed_pointer", "one override twice", file=FILE, json_pointer="/overrides")
    for index, override in enumerate(pointer.overrides):
        require_sound(override, file=FILE, json_pointer=f"/overrides/{index}")
