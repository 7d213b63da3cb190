"""Usage events as gateways send them, and an environment with a price list."""

from __future__ import annotations

import pytest

from coordination.wire.usage import Event
from foundation.actors import SYSTEM
from ledger.mapping import Origin
from policies import services
from tests.support.policies import QUICKSTART
from tests.support.remembered import remembered

GATEWAY = "gw_" + "a" * 26
NOON = 1_795_608_000_000_000
"""2026-11-25 12:00 UTC."""
SECOND = 1_000_000
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def request_id(number: int) -> str:
    digits = ""
    for _ in range(26):
        number, digit = divmod(number, 32)
        digits = ALPHABET[digit] + digits
    return f"req_{digits}"


def event(number: int = 0, **changes) -> Event:
    """1,000 uncached, 500 cached and 100 output tokens of acme's, priced as the quickstart does."""
    facts = {
        "request_id": request_id(number),
        "attempt": 1,
        "kind": "settled",
        "outcome": "completed",
        "counted_by": "engine",
        "tenant": "acme",
        "key_id": "k1",
        "model": "llama-3-8b",
        "tier": "priority",
        "pool": "chat-a",
        "replica": "http://127.0.0.1:8101",
        "reservation": None,
        "uncached_input": 1000,
        "cached_input": 500,
        "cache_write": 0,
        "output": 100,
        "reasoning": 0,
        "started_at": NOON - 2 * SECOND,
        "ended_at": NOON,
        "bundle": "",
        "spend_nano": 472_500,
    }
    return Event(**{**facts, **changes})


def origin(**changes) -> Origin:
    facts = {"environment": "dev", "gateway": GATEWAY, "received_us": NOON + SECOND}
    return Origin(**{**facts, **changes})


@pytest.fixture
def quickstart(transactional_db):
    """The quickstart in force in ``dev``; commits, so that other threads see it."""
    return remembered(
        "the quickstart's documents",
        lambda: services.load_folder(actor=SYSTEM, environment="dev", folder=QUICKSTART),
    )
