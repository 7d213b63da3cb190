"""Three weeks of usage by three tenants, and a handful of requests that their gateway told of."""

from __future__ import annotations

import json
import time

import msgspec

from coordination.wire.decisions import Batch, Explained
from coordination.wire.usage import Event
from fleet.models import Gateway
from ledger.mapping import Origin
from ledger.services import record
from telemetry.decisions.services import record as keep
from tests.ledger.conftest import event, request_id

DAY = 86_400_000_000
WHO = (("acme", "priority"), ("acme/search", "standard"), ("globex", "standard"), ("initech", "flex"))
REFUSED, SERVED, FORGOTTEN = request_id(9001), request_id(9002), request_id(1)


def usage(now: int) -> list[Event]:
    """A few requests a tenant and day, more each day, the weekend quieter."""
    made: list[Event] = []
    for day in range(21):
        at = now - day * DAY - 60_000_000
        for number, (tenant, tier) in enumerate(WHO):
            for more in range(1 if day % 7 in (5, 6) else 2):
                tokens = 40_000 + 9_000 * (21 - day) + 5_000 * number
                made.append(
                    event(
                        1 + len(made),
                        tenant=tenant,
                        tier=tier,
                        uncached_input=tokens // 3,
                        cached_input=2 * tokens // 3 if number else tokens // 5,
                        output=tokens // 8 + more,
                        started_at=at - 2_000_000,
                        ended_at=at,
                        spend_nano=None,
                    )
                )
    return made


def document(request: str, *, refused: bool) -> dict[str, object]:
    """As a gateway writes it."""
    steps = [
        {
            "rule": "R4",
            "says": "route chat-priority, pool chat-a",
            "facts": {"point": 2**63, "arms": [2**64]},
        },
        {
            "rule": "R6",
            "says": "hold 800 uncached + 0 cached input and 256 output tokens",
            "facts": {"output_p80": 256, "max_tokens": 400},
        },
    ]
    if refused:
        steps.append(
            {
                "rule": "R9",
                "says": "quota initech: requests per 1m: 0 of 120 left, 1 needed",
                "facts": {"quota": "initech", "limit": 120, "remaining": 0},
            }
        )
    candidates = [
        {
            "replica": f"http://10.0.0.{n}:8000",
            "chosen": n == 1,
            "score_us": 41_000 * n,
            "load_us": 12_000 * n,
            "prefill_us": 29_000 * n,
            "matched_blocks": 14 - 4 * n,
            "recent_tokens": 4_000 * n,
            "open": n != 3,
            "healthy": n != 4,
            "rejected": None
            if n == 1
            else "unhealthy"
            if n == 4
            else f"first byte {41.0 * (n - 1)} ms later",
        }
        for n in (1, 2, 3, 4)
    ]
    return {
        "request_id": request,
        "client_request_id": "order-7731" if not refused else None,
        "arrived_at_us": time.time_ns() // 1000 - 90_000_000,
        "tenant": "initech" if refused else "acme",
        "key_id": "k7f3mq2xab",
        "model": "llama-3-8b",
        "tier_requested": "flex" if refused else "priority",
        "stream": not refused,
        "bundle": "sha256:" + "0" * 64,
        "outcome": "refused" if refused else "completed",
        "status": 429 if refused else 200,
        "code": "rate_limit_exceeded" if refused else None,
        "message": "The limit of requests per minute is reached." if refused else None,
        "objectives": []
        if refused
        else [
            {
                "metric": "ttft",
                "target_us": 400_000,
                "percentile": 95.0,
                "uncached_input": {"min": 0, "max": 8000},
                "kept": 1,
                "given": 1,
            },
            {"metric": "deadline", "target_us": 60_000_000, "percentile": 99.9, "kept": 0, "given": 1},
            {"metric": "itl", "target_us": 20_000, "percentile": 95.0, "kept": 199, "given": 240},
            {"metric": "luck", "target_us": 1, "percentile": 50, "kept": 1, "given": 1},
        ],
        "decision": {
            "verdict": "refuse" if refused else "queue",
            "route": "chat-priority",
            "pool": "chat-a",
            "model": "llama-3-8b",
            "tier": "flex" if refused else "priority",
            "reservation": "used",
            "hold": {"uncached_input": 800, "cached_input": 0, "output": 256},
            "steps": steps,
        },
        "attempts": []
        if refused
        else [
            {
                "pool": "chat-a",
                "replica": "http://10.0.0.1:8000",
                "attempt": 1,
                "queue_us": 2_140_000,
                "candidates": candidates,
            }
        ],
        "charge": None
        if refused
        else {
            "attempt": 1,
            "tier": "priority",
            "tokens": {"uncached_input": 1000, "cached_input": 500, "output": 100},
            "fairness_cost": 1_250_000_000,
            "reservation": "acme-chat",
            "spend_nano": 472_500,
        },
        "timings_us": {"decided": 300, "finished": 340}
        if refused
        else {
            "decided": 420,
            "placed": 2_140_420,
            "sent": 2_140_700,
            "first_byte": 2_196_000,
            "finished": 4_020_000,
        },
    }


def live_a_while(gateway: Gateway) -> None:
    """Through the doors that gateways use."""
    now = time.time_ns() // 1000
    events = [*usage(now), event(9002, tenant="acme", started_at=now - 92_000_000, ended_at=now - 88_000_000)]
    record(Origin("dev", gateway.id, now), events)
    told = [
        Explained(
            request_id=REFUSED,
            reason="refused",
            at=now - 90_000_000,
            tenant="initech",
            tier="flex",
            model="llama-3-8b",
            code="rate_limit_exceeded",
            document=msgspec.Raw(json.dumps(document(REFUSED, refused=True)).encode()),
        ),
        Explained(
            request_id=SERVED,
            reason="slow",
            at=now - 88_000_000,
            tenant="acme",
            tier="priority",
            model="llama-3-8b",
            code=None,
            document=msgspec.Raw(json.dumps(document(SERVED, refused=False)).encode()),
        ),
    ]
    batch = Batch(boot_id="b", seq=1, sent_at=now, decisions=tuple(told))
    keep(environment="dev", gateway=gateway.id, batch=batch, received_us=now)
