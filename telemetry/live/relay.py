"""How do the hubs of several web processes come to know the same? Over one Redis stream that each reads.

With one web process there is nobody else: what is shown goes to its own hub. With Redis every hub, the
sender's too, acts on what it reads, in one order. While Redis is away each process shows what came to
itself; nothing is lost by it, for what counts is in the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

import msgspec
from redis import Redis as BlockingRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from telemetry.live.messages import Message, decode, encode

log = logging.getLogger(__name__)

LENGTH = 5_000
"""Entries kept, about: a reader that is away for longer asks the database."""
BLOCK_MS = 1_000
PAUSE = 1.0
"""Seconds before Redis is tried again."""
PATIENCE = 1.0
"""Seconds a write may take; it is on the way to a gateway's answer."""

Take = Callable[[Message], None]


class Relay(Protocol):
    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def show(self, message: Message) -> None:
        """To every hub."""


class Alone:
    """One web process."""

    def __init__(self, take: Take) -> None:
        self._take = take

    async def start(self) -> None:
        """Nobody to listen to."""

    async def stop(self) -> None:
        """Nobody to leave."""

    async def show(self, message: Message) -> None:
        self._take(message)


class OverRedis:
    """Any number of web processes."""

    def __init__(self, take: Take, url: str, prefix: str) -> None:
        self._take = take
        self._stream = f"{prefix}live"
        self._redis: Any = Redis.from_url(url, socket_connect_timeout=PATIENCE)
        self._last = "$"
        self._task: asyncio.Task[None] | None = None
        self._stopped = False

    async def start(self) -> None:
        """From now on. What was before is in the database, which the hub reads next."""
        try:
            newest = await self._redis.xrevrange(self._stream, count=1)
            self._last = newest[0][0].decode() if newest else "0"
        except (RedisError, OSError) as error:
            log.warning("live.relay_away %s", error)
        self._task = asyncio.create_task(self._read(), name="live-relay")

    async def stop(self) -> None:
        self._stopped = True  # a cancellation may be lost in the client: the next turn sees this
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._redis.aclose()

    async def show(self, message: Message) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._redis.xadd(self._stream, {b"m": encode(message)}, maxlen=LENGTH, approximate=True)
        except (RedisError, OSError, TimeoutError) as error:
            log.warning("live.relay_away %s", error)
            self._take(message)

    async def _read(self) -> None:
        while not self._stopped:
            try:
                found = await self._redis.xread({self._stream: self._last}, count=500, block=BLOCK_MS)
            except (RedisError, OSError) as error:
                log.warning("live.relay_away %s", error)
                await asyncio.sleep(PAUSE)
                continue
            for _, entries in found or ():
                for number, fields in entries:
                    self._last = number.decode()
                    self._hear(fields.get(b"m", b""))

    def _hear(self, data: bytes) -> None:
        try:
            self._take(decode(data))
        except msgspec.DecodeError:
            log.warning("live.not_understood")  # of a newer version: a rolling upgrade
        except Exception:
            log.exception("live.take_failed")


def push(message: Message, url: str, prefix: str) -> None:
    """From a process without a hub (a worker, a command): to every hub, if Redis is there."""
    try:
        with BlockingRedis.from_url(url, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE) as server:
            server.xadd(f"{prefix}live", {b"m": encode(message)}, maxlen=LENGTH, approximate=True)
    except (RedisError, OSError) as error:
        log.warning("live.relay_away %s", error)
