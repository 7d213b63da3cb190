"""Is there a newer policy to serve? The files are looked at twice a second, read when they changed.

Verification runs in a thread; only the swap happens on the event loop. What is refused is reported and
the old policy goes on serving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from coordination.bundle.acceptance import FROZEN
from coordination.bundle.keys import PublicKey
from coordination.bundle.refusals import Refused
from gateway.activation import Active, Fingerprint, Source
from gateway.clock import PolicyClock
from gateway.feed import Heard, Post
from gateway.log import log
from subscriber.beside import undisturbed

PERIOD_SECONDS = 0.5


class Watcher:
    """The feed of a source of files. There is no console to tell anything."""

    post: Post | None = None

    def __init__(self, source: Source, clock: PolicyClock) -> None:
        self._source = source
        self._clock = clock
        self._seen: Fingerprint = ()
        self._stale = False
        self._task: asyncio.Task[None] | None = None
        self._served = ""
        self._frozen = False
        self.trusted: Mapping[str, PublicKey] = {}
        self.refused: Refused | None = None

    @property
    def stale(self) -> bool:
        return self._stale

    async def first(self) -> Active | Refused:
        self._seen = self._source.fingerprint()
        result = self._source.load(self._clock.now())
        if isinstance(result, Active):
            self._stale, self._served, self.trusted = result.stale, result.digest, result.trusted
        return result

    def start(self, activate: Callable[[Active], None], heard: Heard) -> None:
        self._task = asyncio.create_task(self._watch(activate, heard), name="policy-watcher")

    def freeze(self, frozen: bool) -> None:
        if self._frozen and not frozen:
            self._seen = ()  # what was passed over is looked at again
        self._frozen = frozen

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _watch(self, activate: Callable[[Active], None], heard: Heard) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            found = self._source.fingerprint()
            if found == self._seen:
                continue
            result = await loop.run_in_executor(None, undisturbed, self._source.load, self._clock.now())
            if self._source.fingerprint() != found:
                continue  # still being written: what was read may be half of it
            self._seen = found
            if isinstance(result, Refused):
                self.refused = result
                log("policy_refused", code=result.code, message=result.message, file=result.file)
                continue
            heard(result.overrides, result.order)
            if self._frozen and result.digest != self._served and not result.rollback:
                self.refused = FROZEN
                log("policy_refused", code=FROZEN.code, message=FROZEN.message)
                continue
            activate(result)
            self.refused, self._stale = None, result.stale
            self._served, self.trusted = result.digest, result.trusted
            log("policy_activated", bundle=result.digest, pointer=result.pointer, stale=result.stale)
