"""What does an API key look like? ``hw_<id>_<secret>_<check>``: made only by us, found by a scanner.

Ten characters of id (50 bits, public), 52 of secret (256 bits), 7 of CRC-32 over all that precedes it,
in lower-case base32. A typing error is told from a revoked key without asking anybody.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from typing import NamedTuple
from zlib import crc32

ID_BYTES = 7
SECRET_BYTES = 32
MINT_BYTES = ID_BYTES + SECRET_BYTES
"""How much randomness one key takes."""

_FORM = re.compile(r"(hw_([a-z2-7]{10})_([a-z2-7]{52}))_([a-z2-7]{7})")


class Minted(NamedTuple):
    secret: str
    """The whole key, shown once."""
    key_id: str
    """The ten characters by which the directory knows it."""


def mint(random_bytes: bytes) -> Minted:
    """The key of ``MINT_BYTES`` random bytes, which the caller draws from the system."""
    if len(random_bytes) != MINT_BYTES:
        raise ValueError(f"a key takes {MINT_BYTES} random bytes")
    key_id = _base32(random_bytes[:ID_BYTES])[:10]
    stem = f"hw_{key_id}_{_base32(random_bytes[ID_BYTES:])}"
    return Minted(f"{stem}_{_check(stem)}", key_id)


def parse(secret: str) -> str | None:
    """The key id in ``secret``, or ``None`` if it is not of our making."""
    match = _FORM.fullmatch(secret)
    if match is None:
        return None
    stem, key_id, body, check = match.groups()
    if check != _check(stem) or _base32(b32decode(body.upper() + "====")) != body:
        return None
    return key_id


def _check(stem: str) -> str:
    return _base32(crc32(stem.encode()).to_bytes(4, "big"))


def _base32(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()
