"""Who is this gateway to the control plane? Written once, when it enrols; readable by its owner only."""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

import msgspec

FILE = "identity.json"


class Identity(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    server: str
    """Base URL of the console."""
    gateway: str
    """``gw_`` and a ULID."""
    name: str
    environment: str
    ring: str
    credential: str
    """Sent with every request to the control plane."""
    root: str
    """Digest of the ``root.json`` it was enrolled with: the one thing taken on trust."""
    key: str
    """The gateway's own Ed25519 key, PKCS8 PEM. It never leaves this machine."""


class NoIdentity(Exception):
    """The folder holds no (readable) identity: the gateway has not been enrolled."""


def credential_digest(identity: Identity) -> str:
    """What the control plane knows the credential by: SHA-256, hex."""
    return sha256(identity.credential.encode()).hexdigest()


def load(folder: Path) -> Identity:
    path = folder / FILE
    try:
        return msgspec.json.decode(path.read_bytes(), type=Identity)
    except FileNotFoundError:
        raise NoIdentity(
            f"{folder} holds no {FILE}: enrol this gateway first with `headway gateway enroll`"
        ) from None
    except (msgspec.DecodeError, OSError) as error:
        raise NoIdentity(f"{path} cannot be read: {error}") from None


def save(folder: Path, identity: Identity) -> None:
    """Whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / f".{FILE}-new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(identity), indent=2))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(folder / FILE)
