"""Which secrets does this machine sign and spread with? Made once, kept in ``var/keys``, mode 0600."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from coordination.bundle.keys import SEED_BYTES, SigningKey


def signing_key(var: Path) -> SigningKey:
    """The one key that holds every role here: for loopback use, and said so when it is made."""
    return SigningKey.from_pem(_kept(var / "keys" / "dev.pem", _new_key))


def route_salt(var: Path) -> str:
    """The environment's secret that spreads requests over routes (R4), in hex."""
    return _kept(var / "keys" / "route-salt", lambda: os.urandom(32).hex().encode()).decode()


def _new_key() -> bytes:
    return SigningKey.from_seed(os.urandom(SEED_BYTES)).to_pem()


def _kept(path: Path, make: Callable[[], bytes]) -> bytes:
    """What the file holds; made when it is missing, readable by the owner only from its first byte."""
    if not path.exists():
        path.parent.mkdir(mode=0o700, exist_ok=True)
        aside = path.with_name(f".{path.name}")
        with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
            out.write(make())
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
    return path.read_bytes()
