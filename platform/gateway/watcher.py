"""Is there a newer policy to serve? The files are looked at twice a second, read when they changed.

Verification runs in a thread; only the swap happens on the event loop. What is refused is reported and
the old policy goes on serving.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from coordination.bundle.refusals import Refused
from gateway.activation import Active, Fingerprint, Source
from gateway.clock import PolicyClock
from gateway.log import log

PERIOD_SECONDS = 0.5


class Watcher:
    """Polls one source."""

    def __init__(
        self,
        source: Source,
        fingerprint: Fingerprint,
        clock: PolicyClock,
        activate: Callable[[Active], None],
    ) -> None:
        """``fingerprint``: of what was loaded at start."""
        self._source = source
        self._seen = fingerprint
        self._clock = clock
        self._activate = activate
        self.refused: Refused | None = None
        """Why the newest files are not what is served; ``None`` if they are."""

    async def watch(self) -> None:
        """Until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            found = self._source.fingerprint()
            if found == self._seen:
                continue
            result = await loop.run_in_executor(None, self._source.load, self._clock.now())
            if self._source.fingerprint() != found:
                continue  # still being written: what was read may be half of it
            self._seen = found
            if isinstance(result, Refused):
                self.refused = result
                log("policy_refused", code=result.code, message=result.message, file=result.file)
                continue
            self._activate(result)
            self.refused = None
            log("policy_activated", bundle=result.digest, pointer=result.pointer, stale=result.stale)
