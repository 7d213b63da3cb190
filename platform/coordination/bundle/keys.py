"""Who can sign? Ed25519 keys, as PEM for files and as raw bytes inside ``root.json``."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from coordination.program.canonical import sha256_digest

SEED_BYTES = 32


class KeyFormatError(ValueError):
    """Bytes that are not a key of the kind asked for."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 public key: 32 raw bytes."""

    raw: bytes

    @property
    def key_id(self) -> str:
        """Digest of the raw key: a name that cannot be given to another key."""
        return sha256_digest(self.raw)

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Is this the key's signature over exactly ``message``?"""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True

    def to_pem(self) -> bytes:
        """SubjectPublicKeyInfo, the content of ``KEY.pub``."""
        key = Ed25519PublicKey.from_public_bytes(self.raw)
        return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @classmethod
    def from_pem(cls, data: bytes) -> PublicKey:
        try:
            key = load_pem_public_key(data)
        except (ValueError, UnsupportedAlgorithm):
            raise KeyFormatError("not a PEM public key") from None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyFormatError("not an Ed25519 public key")
        return cls(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


class SigningKey:
    """An Ed25519 private key. Never shown by ``repr``, written only by ``to_pem``."""

    __slots__ = ("_key", "public")

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """The key of 32 secret random bytes, which the caller draws."""
        if len(seed) != SEED_BYTES:
            raise KeyFormatError(f"a seed is {SEED_BYTES} bytes")
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def from_pem(cls, data: bytes) -> SigningKey:
        """Unencrypted PKCS8; raises ``KeyFormatError``."""
        try:
            key = load_pem_private_key(data, password=None)
        except TypeError:
            raise KeyFormatError("the key is encrypted; give it unencrypted") from None
        except (ValueError, UnsupportedAlgorithm):
            raise KeyFormatError("not a PEM private key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFormatError("not an Ed25519 private key")
        return cls(key)

    @property
    def key_id(self) -> str:
        return self.public.key_id

    def sign(self, message: bytes) -> bytes:
        """64 bytes, the same for the same message."""
        return self._key.sign(message)

    def to_pem(self) -> bytes:
        """PKCS8, unencrypted: the file's mode is its protection."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def __repr__(self) -> str:
        return f"SigningKey({self.key_id})"
