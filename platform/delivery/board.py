"""What is posted for gateways right now? One board in each web process, read without the database.

A gateway asks for its ring's pointer and waits until it changes; thousands may wait, so a waiting
one is a future here and holds no thread. ``refresh`` reads the database in a thread: on a wake-up
from a commit in this process, and otherwise at ``PERIOD``, which bounds how late another process's
commit is seen.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

PERIOD = 0.5
"""Seconds between looks at the database."""


@dataclass(frozen=True, slots=True)
class Posted:
    """One ring's pointer as it is sent."""

    envelope: bytes
    etag: str


@dataclass(frozen=True, slots=True)
class Caller:
    """The gateway a credential belongs to."""

    gateway: str
    environment: str
    ring: str


@dataclass(frozen=True, slots=True)
class Posting:
    """Everything the delivery endpoints answer from."""

    pointers: Mapping[tuple[str, str], Posted] = field(default_factory=dict)
    """(environment, ring) -> its pointer."""
    callers: Mapping[str, Caller] = field(default_factory=dict)
    """SHA-256 (hex) of a credential -> whose it is."""


class Board:
    """The posting, and those who wait for it to change. Used on one event loop, except ``wake``."""

    def __init__(self, read: Callable[[], Awaitable[Posting]]) -> None:
        self._read = read
        self.posting = Posting()
        self._waiting: dict[tuple[str, str], set[asyncio.Future[None]]] = {}
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.closed = False

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self.refresh()
        self._task = asyncio.create_task(self._watch(), name="delivery-board")

    async def stop(self) -> None:
        self.release()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def wake(self) -> None:
        """Look at the database now. From any thread; cheap, and harmless when repeated."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._changed.set)

    def release(self) -> None:
        """Let everybody who waits go at once, and wait no more: the process is about to stop."""
        self.closed = True
        for waiting in self._waiting.values():
            for future in waiting:
                _let_go(future)

    async def refresh(self) -> None:
        """Post what the database holds now: a read that began earlier never overwrites it."""
        async with self._reading:
            before = self.posting.pointers
            self.posting = await self._read()
        for ring, posted in self.posting.pointers.items():
            if before.get(ring) != posted:
                for future in self._waiting.get(ring, ()):
                    if not future.done():
                        future.set_result(None)

    async def look(self) -> bool:
        """Refresh; when the database fails, what was posted stays. Whether it could be read."""
        try:
            await self.refresh()
        except Exception:
            log.exception("delivery.board.refresh_failed")
            return False
        return True

    async def wait(self, ring: tuple[str, str], seconds: float) -> None:
        """Return when ``ring``'s pointer changes, or after ``seconds``, or when the process stops."""
        if self.closed or self._loop is None:
            return
        future = self._loop.create_future()
        waiting = self._waiting.setdefault(ring, set())
        waiting.add(future)
        timer = self._loop.call_later(seconds, _let_go, future)
        try:
            await future
        finally:
            timer.cancel()
            waiting.discard(future)

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return sum(map(len, self._waiting.values()))

    async def _watch(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):  # `wait_for` may lose a cancellation before 3.12
                    await self._changed.wait()
            self._changed.clear()
            if not await self.look():
                await asyncio.sleep(PERIOD)


def _let_go(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
