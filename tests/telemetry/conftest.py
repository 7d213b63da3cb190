"""Explanations as gateways send them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from coordination.wire.decisions import Batch, Explained
from fleet.services import ensure_environment
from foundation.actors import SYSTEM
from tests.ledger.conftest import NOON, SECOND, quickstart, request_id  # noqa: F401 - a fixture

GATEWAY = "gw_" + "a" * 26
OTHERS = "http://10.0.0.7:8000"
"""A replica's address: nothing a tenant is told."""


def explained(number: int = 0, **changes) -> Explained:
    """A refusal of acme's, with everything a gateway would say of it."""
    facts: dict[str, Any] = {
        "request_id": request_id(number),
        "reason": "refused",
        "at": NOON,
        "tenant": "acme",
        "tier": "priority",
        "model": "llama-3-8b",
        "code": "rate_limit_exceeded",
    } | changes
    document = {
        "request_id": facts["request_id"],
        "tenant": facts["tenant"],
        "outcome": "refused",
        "code": facts["code"],
        "message": "Over the limit.",
        "bundle": "sha256:" + "0" * 64,
        "decision": {
            "verdict": "refuse",
            "hold": {"uncached_input": 10, "cached_input": 0, "output": 5},
            "steps": [{"rule": "R18", "says": "the heaviest leaf globex/secret", "facts": {"arms": 2**64}}],
        },
        "attempts": [{"attempt": 1, "queue_us": 5, "replica": OTHERS, "candidates": [{"replica": OTHERS}]}],
        "timings_us": {"decided": 40},
        "something_new": "globex/secret",
    }
    return Explained(**facts, document=msgspec.Raw(json.dumps(document).encode()))


def batch(*told: Explained, seq: int = 1, sent_at: int = NOON + SECOND, left_out=None) -> Batch:
    return Batch(boot_id="b1", seq=seq, sent_at=sent_at, decisions=told, left_out=left_out or {})


@pytest.fixture
def environment(db):
    return ensure_environment(actor=SYSTEM, name="dev")
