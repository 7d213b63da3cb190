"""Batches of gateways, as tests need them."""

from __future__ import annotations

from coordination.sketch import Sketch
from coordination.wire.telemetry import Batch, Queue, Replica, Series, encode, join

GATEWAY = "gw_" + "a" * 26
OTHER_GATEWAY = "gw_" + "b" * 26
T0 = 1_800_000_000
"""A second, on a minute."""
URL = "http://chat-1:8000"


def sketch(*milliseconds: float) -> bytes:
    return Sketch.of(round(each * 1000) for each in milliseconds).to_bytes()


def series(tenant: str = "acme", tier: str = "priority", *, requests: int = 1, **more) -> Series:
    plain = {
        "tenant": tenant,
        "tier": tier,
        "model": "llama",
        "pool": "chat",
        "replica": URL,
        "requests": requests,
        "completed": requests,
        "uncached_input": 60 * requests,
        "cached_input": 40 * requests,
        "output": 20 * requests,
        "ttft": sketch(*[100.0] * requests),
        "itl": sketch(*[10.0] * requests),
        "queue": sketch(*[5.0] * requests),
    }
    return Series(**{**plain, **more})


def batch(seq: int, *told: Series, boot: str = "boot", at: int | None = None, **more) -> Batch:
    """The second ``T0 + seq``, unless ``at`` says another."""
    begin = (T0 + seq if at is None else at) * 1_000_000
    plain = {
        "boot_id": boot,
        "seq": seq,
        "started_at": begin,
        "interval_us": 1_000_000,
        "sent_at": begin + 1_000_000,
        "bundle": "",
        "state": "active",
        "series": told,
        "queues": (Queue(pool="chat", band=300, depth=2, oldest_us=7_000),),
        "replicas": (
            Replica(
                pool="chat",
                replica=URL,
                reachable=True,
                running=3,
                waiting=1,
                kv_used_ppm=250_000,
                age_ms=400,
            ),
        ),
    }
    return Batch(**{**plain, **more})


def shipment(sent_at_us: int, *batches: Batch) -> bytes:
    return join(sent_at_us, [encode(each) for each in batches])
