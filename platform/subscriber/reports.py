"""What does the control plane hear from this gateway, and when?

At once when something changed, else every ``PERIOD`` seconds; while the console is away nothing piles
up: only the newest status is ever sent.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Iterator

from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused, RefusedError
from coordination.bundle.subscription import Effect, Subscriber
from coordination.wire.status import Status, StatusError
from subscriber.transport import Transport

log = logging.getLogger(__name__)

PERIOD = 10.0
STEPS = {
    "FetchBundle": "fetch_bundle",
    "FetchDirectory": "fetch_directory",
    "Verify": "verify",
    "SelfTest": "self_test",
    "Persist": "persist",
    "Activate": "activate",
}


class Reporter:
    """Keeps the newest status and sends it."""

    def __init__(self, transport: Transport, features: frozenset[str]) -> None:
        self._transport = transport
        self._features = tuple(sorted(features))
        self._boot = os.urandom(8).hex()
        self._seq = 0
        self._state: Subscriber | None = None
        self._told: object = None
        self._due = asyncio.Event()
        self._timings: dict[str, int] = {}
        self._reachable: bool | None = None

    def note(self, state: Subscriber) -> None:
        """Remember ``state``; if it says something new, it is sent at once."""
        self._state = state
        news = (state.desired, state.attempted, state.applied, state.state, state.error)
        if news != self._told:
            self._told = news
            self._due.set()

    def contact(self) -> None:
        if self._reachable is False:
            log.info("delivery.contact.regained")
            self._due.set()
        self._reachable = True

    def contact_lost(self, refused: Refused) -> None:
        """Logged once for each outage, not once for each try."""
        if self._reachable is not False:
            log.warning("delivery.contact.lost %s", refused)
        self._reachable = False

    @contextlib.contextmanager
    def timed(self, effect: Effect) -> Iterator[None]:
        began = time.monotonic_ns()
        try:
            yield
        finally:
            self._timings[STEPS[type(effect).__name__]] = (time.monotonic_ns() - began) // 1000

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PERIOD):  # `wait_for` may lose a cancellation before 3.12
                    await self._due.wait()
            self._due.clear()
            if self._state is None:
                continue
            try:
                await self._transport.report(self._status(self._state))
            except RefusedError as error:
                self.contact_lost(error.refused)
                await asyncio.sleep(1)
                self._due.set()

    def _status(self, state: Subscriber) -> Status:
        self._seq += 1
        applied = state.applied
        return Status(
            boot_id=self._boot,
            seq=self._seq,
            sent_at=time.time_ns() // 1000,
            serial=state.desired.serial if state.desired else 0,
            version=applied.pointer.version if applied else 0,
            desired=_bundle(state.desired),
            attempted=_bundle(state.attempted),
            applied=applied.candidate.bundle.digest if applied else "",
            applied_directory=applied.candidate.directory_digest if applied else "",
            state=state.state,
            error=_error(state.error),
            timings=dict(self._timings),
            capabilities=self._features,
        )


def _bundle(pointer: Pointer | None) -> str:
    return pointer.bundle if pointer else ""


def _error(refused: Refused | None) -> StatusError | None:
    if refused is None:
        return None
    where = f"{refused.file}#{refused.json_pointer}" if refused.json_pointer else refused.file
    return StatusError(code=refused.code, message=refused.message[:300], json_pointer=where[:300])
