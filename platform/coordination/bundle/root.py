"""Which keys may sign what? The start of all trust: ``root.json``, signed offline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

from msgspec import Meta

from coordination.bundle import dsse
from coordination.bundle.keys import PublicKey, SigningKey
from coordination.bundle.refusals import RefusedError, refuse
from coordination.bundle.values import Count, Digest, Value, check, decode, encode
from coordination.program.canonical import sha256_digest

FILE = "root.json"

RoleName = Literal["root", "bundle", "pointer"]
RawKey = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]


class Role(Value, frozen=True):
    """``threshold`` of these keys, given by id, sorted."""

    keys: Annotated[tuple[Digest, ...], Meta(min_length=1)]
    threshold: Count


class Roles(Value, frozen=True):
    root: Role
    """Signs the next root."""
    bundle: Role
    pointer: Role
    """Online: signs heartbeats."""


class Root(Value, frozen=True, kw_only=True):
    format_version: Literal[1] = 1
    version: Count
    keys: dict[Digest, RawKey]
    """Key id -> raw Ed25519 public key in hex. Each is used by a role or by ``handover``."""
    roles: Roles
    handover: tuple[Digest, ...] = ()
    """Keys of the previous root alone, which sign this one to hand over and mean nothing after; sorted."""

    def trusted(self, role: RoleName) -> dict[str, PublicKey]:
        """The keys of a role, by id."""
        ids: tuple[str, ...] = getattr(self.roles, role).keys
        return {key_id: PublicKey(bytes.fromhex(self.keys[key_id])) for key_id in ids}

    def threshold(self, role: RoleName) -> int:
        needed: Role = getattr(self.roles, role)
        return needed.threshold


def make_root(
    *,
    version: int,
    root: Sequence[PublicKey],
    bundle: Sequence[PublicKey],
    pointer: Sequence[PublicKey],
    thresholds: Mapping[RoleName, int] | None = None,
    handover: Sequence[PublicKey] = (),
) -> Root:
    """A root with these keys by role; a threshold not given is 1. ``ValueError`` if it cannot hold.

    ``handover``: keys of the root before that will sign this one; those that stay are left out.
    """
    needed = {"root": 1, "bundle": 1, "pointer": 1} | dict(thresholds or {})

    def role(name: RoleName, keys: Sequence[PublicKey]) -> Role:
        return Role(keys=tuple(sorted({key.key_id for key in keys})), threshold=needed[name])

    leaving = {key.key_id for key in handover} - {key.key_id for key in root}
    made = check(
        Root(
            version=version,
            keys={key.key_id: key.raw.hex() for key in (*root, *bundle, *pointer, *handover)},
            handover=tuple(sorted(leaving)),
            roles=Roles(
                root=role("root", root), bundle=role("bundle", bundle), pointer=role("pointer", pointer)
            ),
        )
    )
    try:
        _require_sound(made)
    except RefusedError as error:
        raise ValueError(error.refused.message) from None
    return made


def sign_root(root: Root, keys: Iterable[SigningKey]) -> bytes:
    """The envelope: ``root.json``."""
    return dsse.sign(encode(root), dsse.ROOT, keys)


def open_root(envelope: bytes, *, pinned: str | None = None) -> Root:
    """The root in ``envelope``, which its own root role must have signed.

    That proves the file whole, not whose it is: trust comes from ``pinned`` (the digest of the
    envelope, given at enrolment), or from the place the file was read from. Raises ``RefusedError``.
    """
    if pinned is not None and sha256_digest(envelope) != pinned:
        raise refuse("digest_mismatch", "not the root this gateway was enrolled with", file=FILE)
    root = _unverified(envelope)
    _verify(envelope, root, root)
    return root


def next_root(current: Root, envelope: bytes) -> Root:
    """The successor of ``current``: version + 1, signed by enough keys of both. Raises ``RefusedError``."""
    successor = _unverified(envelope)
    if successor.version != current.version + 1:
        raise refuse(
            "replayed_serial",
            f"root {successor.version} does not follow root {current.version}",
            file=FILE,
            json_pointer="/version",
        )
    _verify(envelope, successor, current, successor)
    return successor


def _verify(envelope: bytes, statement: Root, *judges: Root) -> None:
    """Every signature must hold, and each of ``judges`` must find enough keys of its own among them."""
    known = statement.trusted("root") | {
        key_id: PublicKey(bytes.fromhex(statement.keys[key_id])) for key_id in statement.handover
    }
    dsse.verify(envelope, dsse.ROOT, known, file=FILE)
    signed = set(dsse.signers(envelope))
    for judge in judges:
        count = len(signed & judge.trusted("root").keys())
        if count < judge.threshold("root"):
            raise refuse(
                "threshold_not_met",
                f"{count} of {judge.threshold('root')} signatures that root {judge.version} asks for",
                file=FILE,
            )


def _unverified(envelope: bytes) -> Root:
    """Needed to learn the keys to verify with; never returned to a caller unverified."""
    payload = dsse.peek(envelope, dsse.ROOT, file=FILE)
    root = decode(payload, Root, code="malformed_root", file=FILE)
    _require_sound(root)
    return root


def _require_sound(root: Root) -> None:
    handover = list(root.handover)
    if handover != sorted(set(handover)) or not set(handover).isdisjoint(root.roles.root.keys):
        raise refuse("malformed_root", "not sorted, or keys that stay", file=FILE, json_pointer="/handover")
    used = set(handover)
    for name in ("root", "bundle", "pointer"):
        role: Role = getattr(root.roles, name)
        where = f"/roles/{name}"
        if list(role.keys) != sorted(set(role.keys)):
            raise refuse("malformed_root", "keys not sorted, or one twice", file=FILE, json_pointer=where)
        if role.threshold > len(role.keys):
            raise refuse(
                "malformed_root",
                f"role {name} asks for {role.threshold} of {len(role.keys)} keys",
                file=FILE,
                json_pointer=f"{where}/threshold",
            )
        used.update(role.keys)
    if used != root.keys.keys():
        raise refuse("malformed_root", "keys and roles do not match", file=FILE, json_pointer="/keys")
    for key_id, raw in root.keys.items():
        if PublicKey(bytes.fromhex(raw)).key_id != key_id:
            raise refuse(
                "malformed_root", "a key under a false id", file=FILE, json_pointer=f"/keys/{key_id}"
            )
