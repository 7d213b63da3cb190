"""How does a program without a session open a socket? With a ticket: one use, thirty seconds.

It travels in the subprotocol header, which no log keeps, and never in an address.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from django.core.cache import cache

LIFE = 30
"""Seconds."""
PREFIX = "ticket."
"""Of the second subprotocol offered."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """Whom a ticket was made for: a person, by a session or by a service token."""

    user: int
    session: str = ""
    token: int | None = None


def issue(bearer: Bearer) -> str:
    secret = secrets.token_urlsafe(24)
    cache.set(_key(secret), {"user": bearer.user, "session": bearer.session, "token": bearer.token}, LIFE)
    return secret


def redeem(secret: str) -> Bearer | None:
    """Whom it was made for, once: of two who come at the same time one is refused."""
    key = _key(secret)
    held: dict[str, Any] | None = cache.get(key)
    if held is None or not cache.delete(key):
        return None
    return Bearer(**held)


def _key(secret: str) -> str:
    return f"live-ticket:{sha256(secret.encode()).hexdigest()}"
