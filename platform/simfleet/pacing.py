"""When does each engine step end in real time? One timer per replica drives its engine.

A step's deadline is the deadline of the step before plus the model's duration, not the instant the
timer happened to fire, so a late wake-up delays one token and not all that follow: the mean gap
between tokens is the model's. Only a replica more than ``CATCH_UP`` behind (the machine was
suspended or overloaded) gives up the lost time. An idle engine has no timer at all.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable

from simfleet.engine import Engine, Outcome, Sequence, Step, Work
from simfleet.meters import Meters

CATCH_UP = 0.25


class EngineLoop:
    """Drives one engine against the monotonic clock and hands every outcome to ``deliver``."""

    def __init__(
        self,
        engine: Engine,
        meters: Meters,
        deliver: Callable[[Outcome], None],
        *,
        speed: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        call_later: Callable[..., asyncio.TimerHandle] | None = None,
    ) -> None:
        self.engine = engine
        self.slow = 1.0
        self._meters = meters
        self._deliver = deliver
        self._speed = speed
        self._clock = clock
        self._call_later = call_later or asyncio.get_running_loop().call_later
        self._step: Step | None = None
        self._deadline = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stalled = False

    def submit(self, work: Work) -> Sequence:
        """Queue a request; the engine wakes if it was idle."""
        now = self._clock()
        sequence = self.engine.submit(work, now)
        if self._step is None and not self._stalled:
            self._begin(now)
        return sequence

    def abort(self, sequence: Sequence) -> None:
        """Free a request nobody waits for."""
        if sequence.live:
            self.engine.abort(sequence)
            self._meters.aborted()

    def stall(self) -> None:
        """Stop computing; requests go on queueing."""
        self._stalled = True
        self._cancel()

    def resume(self) -> None:
        """Go on where ``stall`` stopped."""
        if not self._stalled:
            return
        self._stalled = False
        if self._step is not None:
            self._end(self._step)
        else:
            self._begin(self._clock())

    def close(self) -> None:
        """Drop the timer and the step under way."""
        self._cancel()
        self._step = None

    def _begin(self, at: float) -> None:
        step = self._step = self.engine.begin(self._clock())
        if step is None:
            return
        self._meters.began(step)
        self._deadline = at + step.seconds * self.slow / self._speed
        self._arm(step)

    def _arm(self, step: Step) -> None:
        # Timers of uvloop count whole milliseconds: round up, then look at the clock again.
        wait = math.ceil((self._deadline - self._clock()) * 1e3) / 1e3
        self._timer = self._call_later(max(0.0, wait), self._wake, step)

    def _wake(self, step: Step) -> None:
        if self._deadline - self._clock() > 5e-4:
            self._arm(step)
        else:
            self._end(step)

    def _end(self, step: Step) -> None:
        now = self._clock()
        outcome = self.engine.complete(step, now)
        self._meters.completed(step, outcome)
        self._deliver(outcome)
        self._begin(self._deadline if now - self._deadline < CATCH_UP else now)

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
