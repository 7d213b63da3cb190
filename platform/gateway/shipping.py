"""How does what is on record get to the console? In batches, oldest first, until each is acknowledged.

One thread does what blocks (syncing, reading, trimming), so that no request waits for a disk. A console
that is away is asked again, less and less often; what it missed it gets when it is back.
"""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from coordination.bundle.refusals import RefusedError
from coordination.wire import usage
from gateway.clock import PolicyClock
from gateway.feed import Post
from gateway.log import log
from gateway.wal import Journal, Unsent
from subscriber.answers import Answered

TEND_SECONDS = 0.1
"""Between two syncs: what a loss of power may take."""
SHIP_SECONDS = 1.0
"""Between looks for something to send."""
FIRST_PAUSE, LAST_PAUSE = 0.5, 15.0
"""Seconds before what was not acknowledged is sent again: doubled each time, with full jitter."""
BATCH_BYTES = 2 * 1024 * 1024
"""Of events in one batch; the console takes four."""
ASIDE = "declined.jsonl"
"""Events that the console will not have, for a person to look at; nothing else in the folder is text."""


class Shipping:
    """Tends a journal, and sends what it holds where there is somebody to send it to."""

    def __init__(
        self, journal: Journal, folder: Path, clock: PolicyClock, post: Post | None, boot_id: str
    ) -> None:
        self.journal = journal
        self._folder = folder
        self._clock = clock
        self._post = post
        self._boot_id = boot_id
        self._seq = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._tasks: list[asyncio.Task[None]] = []
        self._reachable = True
        self.declined = 0
        """Events put aside since the start."""

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._tend(), name="journal")]
        if self._post is not None:
            self._tasks.append(asyncio.create_task(self._ship(), name="usage"))

    async def stop(self, patience: float) -> None:
        """Sync, and for at most ``patience`` seconds send what is left. The rest goes when we are back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._off_the_loop(self.journal.tend)
        self.journal.settle_owed()
        try:
            async with asyncio.timeout(patience):
                while self._post is not None and await self._ship_once():
                    pass
        except (TimeoutError, RefusedError, OSError):
            pass
        await self._off_the_loop(self.journal.close)
        self._thread.shutdown(wait=False)

    # -- inside --------------------------------------------------------------------------------

    async def _tend(self) -> None:
        while True:
            if self.journal.needs_tending:
                await self._off_the_loop(self.journal.tend)
                self.journal.settle_owed()
            await asyncio.sleep(TEND_SECONDS)

    async def _ship(self) -> None:
        pause = FIRST_PAUSE
        while True:
            try:
                more = await self._ship_once()
            except (RefusedError, OSError) as error:
                if self._reachable:  # once for each outage, not once for each try
                    log("usage_not_sent", message=str(error), unsent=self.journal.unsent)
                self._reachable = False
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, LAST_PAUSE)
                continue
            if not self._reachable:
                log("usage_sent_again", unsent=self.journal.unsent)
            self._reachable, pause = True, FIRST_PAUSE
            if not more:
                await asyncio.sleep(SHIP_SECONDS)

    async def _ship_once(self, most: int = usage.MAX_EVENTS) -> bool:
        """Send the oldest batch; whether there may be another. Raises ``RefusedError``, ``OSError``."""
        taken: Unsent | None = await self._off_the_loop(self.journal.unsent_events, most, BATCH_BYTES)
        if taken is None:
            return False
        if taken.events:
            try:
                await self._send(taken)
            except Answered as answered:
                if not answered.for_good:
                    raise
                if len(taken.events) > 1:  # find the one that will not do: the others go
                    return await self._ship_once(len(taken.events) // 2)
                await self._off_the_loop(self._put_aside, taken.events[0], str(answered))
        await self._off_the_loop(self.journal.acknowledge, taken)
        return True

    async def _send(self, taken: Unsent) -> None:
        assert self._post is not None  # noqa: S101 - only asked where there is one
        self._seq += 1
        await self._post("usage", usage.join(self._boot_id, self._seq, self._clock.now(), taken.events))

    def _put_aside(self, event: bytes, why: str) -> None:
        """Blocking. Raises ``OSError``: then it stays where it is."""
        with (self._folder / ASIDE).open("ab") as file:
            file.write(event + b"\n")
        self.declined += 1
        log("usage_declined", message=why, kept_in=str(self._folder / ASIDE))

    async def _off_the_loop(self, call: Any, *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, call, *arguments)
