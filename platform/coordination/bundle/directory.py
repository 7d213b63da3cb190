"""Whose key is this, now? Tenants' own facts inside the contract, in force at once.

A directory is never rolled back: its ``serial`` only grows, so a key once revoked stays so.
"""

from __future__ import annotations

import hmac
import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from coordination.bundle.apikeys import parse
from coordination.bundle.refusals import refuse
from coordination.bundle.values import Count, Digest, Instant, Name, Value, check, convert
from coordination.program.canonical import (
    NotCanonicalError,
    canonical_bytes,
    canonical_bytes_by_members,
    sha256_digest,
)
from coordination.program.records import LimitOf, LimitPer, Micros

FILE = "directory.json"
MAX_DIRECTORY = 128 * 1024 * 1024
_NOBODY = "sha256:" + "0" * 64

KeyId = Annotated[str, Meta(pattern=r"^[a-z2-7]{10}\Z")]
Path = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9./-]*[a-z0-9])?\Z", max_length=512)]
"""A tenant's full path."""
Scope = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_.:-]{0,62}\Z")]
Salt = Annotated[str, Meta(pattern=r"^[0-9a-f]{32,128}\Z")]
Share = Annotated[int, Meta(ge=0, le=2**53 - 1)]
Amount = Annotated[int, Meta(ge=1, le=2**53 - 1)]
"""Requests, tokens or nano-units of money."""
Why = Literal["malformed", "unknown", "revoked", "expired"]


class KeyEntry(Value, frozen=True):
    """One API key, without its secret."""

    sha256: Digest
    """Of the whole key as the client sends it."""
    tenant: Path
    scopes: tuple[Scope, ...]
    expires_at: Instant | None
    revoked_at: Instant | None
    """Set means revoked, whatever a gateway's clock says."""


class _Keys(Value, frozen=True):
    """Some of a directory's keys."""

    keys: dict[KeyId, KeyEntry]


class Credit(Value, frozen=True):
    """More of a limit, once, for the period in which it was given. A gateway carries out each id once."""

    id: Annotated[str, Meta(pattern=r"^cr_[0-9a-z]{26}\Z")]
    quota: Name
    of: LimitOf
    per: LimitPer
    amount: Amount | None
    """By ``of``; None: nothing of the limit is used any more."""
    made_at: Instant


class Directory(Value, frozen=True, kw_only=True):
    """One environment's keys and shares. ``digest`` names the exact bytes of ``to_json``."""

    format_version: Literal[1] = 1
    environment: Name
    serial: Count
    """Grows with each change."""
    route_salt: Salt
    """Secret of the environment that spreads requests over routes (R4): hex, at least 128 bits."""
    keys: dict[KeyId, KeyEntry]
    shares: dict[Path, Share]
    """Tenant -> weight its parent gave it, in ppm; gateways clamp to the program's bounds."""
    limits: dict[Path, dict[LimitOf, dict[LimitPer, Amount]]] = {}
    """Team -> limits that administrators above it set; left out of the bytes when there is none. A gateway
    lets stand what its program delegates (``coordination.program.teams``)."""
    credits: tuple[Credit, ...] = ()
    """Those whose period may not be over, oldest first; left out of the bytes when there is none."""

    def to_json(self) -> bytes:
        """Canonical bytes; ``ValueError`` if a value breaks its own rules."""
        value = msgspec.to_builtins(check(self))
        for name in ("credits", "limits"):
            if not value[name]:
                del value[name]
        return canonical_bytes(value)

    @property
    def digest(self) -> str:
        return sha256_digest(self.to_json())

    def authenticate(self, secret: str, now_us: Micros) -> KeyFacts | KeyRefusal:
        """Whose key ``secret`` is at ``now_us``.

        The time taken does not depend on how much of a guess is right, nor on whether the id exists.
        Only the holder of the secret learns that it is revoked or expired.
        """
        key_id = parse(secret)
        if key_id is None:
            return KeyRefusal("malformed", "This is not an API key of ours: check that it was copied whole.")
        entry = self.keys.get(key_id)
        sent = "sha256:" + sha256(secret.encode()).hexdigest()
        matches = hmac.compare_digest(sent, entry.sha256 if entry else _NOBODY)
        if entry is None or not matches:
            return KeyRefusal("unknown", "No such API key in this environment.")
        if entry.revoked_at is not None:
            return KeyRefusal("revoked", "This API key was revoked.", key_id)
        if entry.expires_at is not None and now_us >= entry.expires_at:
            return KeyRefusal("expired", "This API key has expired.", key_id)
        return KeyFacts(key_id, entry.tenant, entry.scopes, entry.expires_at)


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """What a valid key says of its sender."""

    key_id: str
    tenant: str
    scopes: tuple[str, ...]
    expires_at: Micros | None


@dataclass(frozen=True, slots=True)
class KeyRefusal:
    why: Why
    message: str
    key_id: str | None = None
    """Known only when the secret was right: for the log, never for the client."""


def new_entry(
    secret: str, *, tenant: str, scopes: tuple[str, ...] = ("inference",), expires_at: Micros | None = None
) -> KeyEntry:
    """What the directory keeps of a freshly minted key."""
    return KeyEntry(
        sha256=sha256_digest(secret.encode()),
        tenant=tenant,
        scopes=scopes,
        expires_at=expires_at,
        revoked_at=None,
    )


def read_directory(data: bytes, *, canonical: bool = True) -> Directory:
    """A directory from JSON: exactly our fields, each within its rules, no key twice.

    ``canonical=False`` forgives white space and key order in a file a person wrote. Raises
    ``RefusedError``: ``too_large`` or ``malformed_directory``, saying where.
    """
    if len(data) > MAX_DIRECTORY:
        raise refuse("too_large", f"{len(data)} bytes, more than {MAX_DIRECTORY}", file=FILE)
    try:
        parsed = json.loads(data, object_pairs_hook=_no_duplicates)
        spelled = canonical_bytes_by_members(parsed)
    except (ValueError, RecursionError) as error:
        raise refuse("malformed_directory", str(error), file=FILE) from None
    if canonical and spelled != data:
        raise refuse("malformed_directory", "not in canonical form", file=FILE)
    return _read(parsed)


def _read(parsed: Any) -> Directory:
    """Key by key, each let go of at once: one call for ten thousand of them would hold up whoever runs
    beside for 26 ms, and giving them up together for two."""
    keys = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(keys, dict):
        return convert(parsed, Directory, code="malformed_directory", file=FILE)
    bare = convert(parsed | {"keys": {}}, Directory, code="malformed_directory", file=FILE)
    entries: dict[str, KeyEntry] = {}
    for key_id in list(keys):
        one = {key_id: keys.pop(key_id)}
        found = convert({"keys": one}, _Keys, code="malformed_directory", file=FILE)
        entries.update(found.keys)
    return msgspec.structs.replace(bare, keys=entries)


def open_directory(
    data: bytes, *, digest: str, environment: str, after: tuple[int, str] | None = None
) -> Directory:
    """The directory a pointer names by ``digest``. Raises ``RefusedError``.

    ``after``: serial and digest of the one that serves. Only a later one may replace it, whatever a
    pointer says: otherwise a rollback would revive a revoked key.
    """
    if sha256_digest(data) != digest:
        raise refuse("digest_mismatch", "not the directory the pointer names", file=FILE)
    directory = read_directory(data)
    if directory.environment != environment:
        raise refuse(
            "wrong_environment",
            f"of {directory.environment}, not of {environment}",
            file=FILE,
            json_pointer="/environment",
        )
    if after is not None and digest != after[1] and directory.serial <= after[0]:
        raise refuse(
            "replayed_serial",
            f"directory {directory.serial} does not follow {after[0]}: a revoked key would live again",
            file=FILE,
            json_pointer="/serial",
        )
    return directory


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:  # not dict(pairs): that is one call, however many there are
        found[name] = value
    if len(found) != len(pairs):
        raise NotCanonicalError("a key appears twice in one object")
    return found
