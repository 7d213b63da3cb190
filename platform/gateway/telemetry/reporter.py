"""How does the console hear, each second, what happened here?

At each whole second of the policy clock what the meter holds becomes one batch; a task of its own ships
what waits, in order, one shipment at a time. Nothing of this is on a request's path.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Callable
from dataclasses import dataclass

from coordination.bundle.refusals import RefusedError
from coordination.wire.telemetry import Batch, Ledger, Queue, Replica, encode, join
from gateway.clock import PolicyClock
from gateway.feed import Post
from gateway.log import log
from gateway.telemetry.meter import Meter
from gateway.telemetry.outbox import Outbox
from subscriber.answers import Answered

PERIOD_US = 1_000_000
FIRST_PAUSE, LAST_PAUSE = 0.5, 5.0
"""Seconds before a failed shipment is repeated: doubled each time, with jitter. Short: nothing new is
sent before the old one is."""
LAST_WORDS = 1.0
"""Seconds a stopping gateway gives its last batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a batch says beside the counters, at the moment it is made."""

    bundle: str
    stale: bool
    queues: tuple[Queue, ...]
    replicas: tuple[Replica, ...]
    ledger: Ledger | None = None


class Reporter:
    """One gateway's telemetry, to the console it follows, if it follows one."""

    def __init__(
        self, meter: Meter, facts: Callable[[], Facts], clock: PolicyClock, post: Post | None
    ) -> None:
        self._meter = meter
        self._facts = facts
        self._clock = clock
        self._post = post
        self._loop = asyncio.get_running_loop()
        self._boot = os.urandom(8).hex()
        self._seq = 0
        self._begun = clock.now()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting = asyncio.Event()
        self._sent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.outbox = Outbox()

    def start(self) -> None:
        if self._post is None:
            return  # the meter holds a bounded number of keys, and nobody looks
        self._begun = self._clock.now()
        self._arm()
        self._task = asyncio.create_task(self._ship(self._post), name="telemetry")

    async def stop(self) -> None:
        """Say the last second's words, as far as the console listens."""
        if self._timer is not None:
            self._timer.cancel()
        if self._task is None:
            return
        self._count()
        try:
            async with asyncio.timeout(LAST_WORDS):
                await self._sent.wait()
        except TimeoutError:
            log("telemetry_unsent", batches=len(self.outbox))
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _arm(self) -> None:
        """At the next whole second: batches of several gateways then cover the same stretch."""
        left = PERIOD_US - self._clock.now() % PERIOD_US
        self._timer = self._loop.call_later(left / 1e6 + 0.001, self._tick)

    def _tick(self) -> None:
        self._arm()
        self._count()

    def _count(self) -> None:
        begun, self._begun = self._begun, self._clock.now()
        series = self._meter.take()
        facts = self._facts()
        self._seq += 1
        batch = Batch(
            boot_id=self._boot,
            seq=self._seq,
            started_at=begun,
            interval_us=self._begun - begun,
            sent_at=self._begun,
            bundle=facts.bundle,
            state="stale" if facts.stale else "active",
            series=series,
            queues=facts.queues,
            replicas=facts.replicas,
            ledger=facts.ledger,
        )
        self.outbox.put(self._seq, encode(batch))
        self._sent.clear()
        self._waiting.set()

    async def _ship(self, post: Post) -> None:
        pause = FIRST_PAUSE
        reachable = True
        while True:
            await self._waiting.wait()
            chosen = self.outbox.next()
            if not chosen:
                self._waiting.clear()
                self._sent.set()
                continue
            try:
                await post("telemetry", join(self._clock.now(), list(chosen.values())))
            except RefusedError as error:
                if isinstance(error, Answered) and error.for_good:
                    log("telemetry_refused", batches=len(chosen), message=error.refused.message)
                    self.outbox.done(chosen)
                    continue
                if reachable:
                    log("telemetry_waits", message=error.refused.message)
                reachable = False
                await asyncio.sleep(random.uniform(pause / 2, pause))  # noqa: S311 - jitter, not a secret
                pause = min(2 * pause, LAST_PAUSE)
            else:
                if not reachable:
                    log("telemetry_resumed", batches=len(self.outbox), given_up=self.outbox.given_up)
                reachable, pause = True, FIRST_PAUSE
                self.outbox.done(chosen)
