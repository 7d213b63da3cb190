"""Two web processes over Redis show the same; without Redis each shows what came to itself."""

from __future__ import annotations

import asyncio
import secrets

import pytest
from redis.asyncio import Redis

from telemetry.live import notice
from telemetry.live.messages import Arrived, Happened, Message, Revoked
from telemetry.live.relay import OverRedis
from tests.gateway.raw_client import until
from tests.support import services
from tests.telemetry.batches import GATEWAY, T0, batch, series

MESSAGES: list[Message] = [
    Arrived("dev", GATEWAY, ((T0, batch(0, series())),), skew_us=5),
    Happened("dev", "decisions", "decided", 1, {"decisions": [{"request_id": "req_1"}]}),
    Revoked(7),
]


@pytest.fixture
async def prefix(redis_url):
    made = f"{services.REDIS_PREFIX}{secrets.token_hex(4)}:"
    yield made
    client = Redis.from_url(redis_url)
    await client.delete(f"{made}live")
    await client.aclose()


@pytest.mark.redis
async def test_every_hub_hears_everything_once_and_in_one_order(redis_url, prefix):
    heard: list[list[object]] = [[], []]
    relays = [OverRedis(each.append, redis_url, prefix) for each in heard]
    for relay in relays:
        await relay.start()
    for at, message in enumerate(MESSAGES * 5):
        await relays[at % 2].show(message)
    await until(lambda: all(len(each) == 15 for each in heard))
    assert heard[0] == heard[1] == MESSAGES * 5
    later: list[object] = []
    joined = OverRedis(later.append, redis_url, prefix)
    await joined.start()
    await relays[0].show(Revoked(8))
    await until(lambda: later)
    assert later == [Revoked(8)], "what was before it came is in the database"
    for relay in (*relays, joined):
        await relay.stop()


@pytest.mark.redis
async def test_what_another_version_says_is_passed_over(redis_url, prefix):
    heard: list[object] = []
    relay = OverRedis(heard.append, redis_url, prefix)
    await relay.start()
    client = Redis.from_url(redis_url)
    await client.xadd(f"{prefix}live", {"m": b"\x93nonsense"})
    await client.xadd(f"{prefix}live", {"other": b""})
    await client.aclose()
    await relay.show(Revoked(1))
    await until(lambda: heard)
    assert heard == [Revoked(1)]
    await relay.stop()


async def test_without_redis_a_process_shows_what_came_to_itself():
    heard: list[object] = []
    relay = OverRedis(heard.append, "redis://127.0.0.1:1/0", "x:")
    await relay.start()
    await asyncio.gather(*(relay.show(message) for message in MESSAGES))
    assert len(heard) == 3
    await relay.stop()


@pytest.mark.redis
async def test_a_worker_without_a_hub_is_heard_by_every_hub(redis_url, prefix, settings):
    heard: list[object] = []
    relay = OverRedis(heard.append, redis_url, prefix)
    await relay.start()
    settings.REDIS_URL, settings.REDIS_PREFIX = redis_url, prefix
    await asyncio.to_thread(notice._tell, MESSAGES[2])
    await until(lambda: heard)
    assert heard == [Revoked(7)]
    await relay.stop()
