"""Who may sign for this installation? The roots on record, and the online keys on this machine.

``headway up`` makes one key for loopback use. A production root is made offline and imported; then
only the pointer key is online, and bundles are signed by people with ``headway sign``.
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db import transaction

from coordination.bundle import dsse
from coordination.bundle.keys import SigningKey
from coordination.bundle.root import Root, make_root, next_root, open_root, sign_root
from coordination.program.canonical import sha256_digest
from delivery.models import Signature, TrustRoot
from foundation.http import Refused
from foundation.locking import locked

ONLINE_KEY = "online.pem"


class NoTrust(Refused):
    """Nothing can be signed yet: there is no root, or its online key is not on this machine."""

    def __init__(self, detail: str) -> None:
        super().__init__("no_trust", detail, status=409)


def keys_folder() -> Path:
    return Path(settings.HEADWAY_KEYS)


@lru_cache(maxsize=4)
def _load(path: Path, modified: int) -> SigningKey:  # noqa: ARG001 - part of the cache's key
    return SigningKey.from_pem(path.read_bytes())


def online_key() -> SigningKey:
    """The key that signs pointers, and in embedded mode bundles too. Raises ``NoTrust``."""
    path = keys_folder() / ONLINE_KEY
    try:
        return _load(path, path.stat().st_mtime_ns)
    except FileNotFoundError:
        raise NoTrust(
            f"no signing key at {path}: run `headway up`, or import a root and its pointer key"
        ) from None


def first_root() -> TrustRoot:
    """The root a gateway pins when it enrols; it follows the chain from there. Raises ``NoTrust``."""
    row = TrustRoot.objects.order_by("version").first()
    if row is None:
        raise NoTrust("no root of trust is on record")
    return row


def current_root() -> Root:
    """The newest root on record. Raises ``NoTrust``."""
    row = TrustRoot.objects.order_by("-version").first()
    if row is None:
        raise NoTrust("no root of trust is on record")
    return open_root(bytes(row.envelope))


def ensure_embedded_root() -> TrustRoot:
    """A one-key root for this machine, made once: the key in the keys folder (0600), the root on record.

    If the key file was lost, a new key cannot be put in the old root's place silently: gateways
    have pinned that root. The next root then needs the old key, so this raises ``NoTrust``.
    """
    path = keys_folder() / ONLINE_KEY
    newest = TrustRoot.objects.order_by("-version").first()
    if newest is not None:
        online_key()
        return newest
    if not path.exists():
        _write_key(path, SigningKey.from_seed(os.urandom(32)))
    key = online_key()
    only = [key.public]
    envelope = sign_root(make_root(version=1, root=only, bundle=only, pointer=only), [key])
    return TrustRoot.objects.create(version=1, digest=sha256_digest(envelope), envelope=envelope)


@transaction.atomic
def import_root(*, envelope: bytes) -> TrustRoot:
    """Record a root: the first is taken as given, each later one must follow the one before it."""
    newest = locked(TrustRoot.objects.order_by("-version")).first()
    root = open_root(envelope) if newest is None else next_root(open_root(bytes(newest.envelope)), envelope)
    return TrustRoot.objects.create(version=root.version, digest=sha256_digest(envelope), envelope=envelope)


def sign_bundle(*, digest: str, manifest: bytes) -> None:
    """Sign a bundle with the online key, if the root lets that key speak for bundles; idempotent."""
    key = online_key()
    if key.key_id not in current_root().trusted("bundle"):
        return
    envelope = dsse.sign(manifest, dsse.BUNDLE, [key])
    Signature.objects.get_or_create(digest=digest, key=key.key_id, defaults={"envelope": envelope})


def bundle_envelope(digest: str) -> bytes | None:
    """One envelope with every signature on record, or ``None`` while there is none."""
    rows = Signature.objects.filter(digest=digest).order_by("key").values_list("envelope", flat=True)
    envelopes = [bytes(row) for row in rows]
    return dsse.merge(envelopes) if envelopes else None


def is_signed(digest: str) -> bool:
    """Whether enough keys of the bundle role have signed ``digest``."""
    root = current_root()
    keys = set(Signature.objects.filter(digest=digest).values_list("key", flat=True))
    return len(keys & root.trusted("bundle").keys()) >= root.threshold("bundle")


def _write_key(path: Path, key: SigningKey) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(key.to_pem())
        file.flush()
        os.fsync(file.fileno())
