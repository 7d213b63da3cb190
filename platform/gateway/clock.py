"""What time is it, for the rules? (R1) Monotonic, in microseconds since 1970, never backwards."""

from __future__ import annotations

import time
from collections.abc import Callable


class PolicyClock:
    """The wall clock at start, advanced by the monotonic clock: a step of the former is not seen."""

    __slots__ = ("_monotonic_ns", "offset")

    def __init__(
        self, offset: int | None = None, monotonic_ns: Callable[[], int] = time.monotonic_ns
    ) -> None:
        """``offset``: of another process's clock on this machine, to tell the same time as it."""
        self._monotonic_ns = monotonic_ns
        self.offset = time.time_ns() // 1000 - monotonic_ns() // 1000 if offset is None else offset
        """Microseconds from the monotonic clock to this one."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return self._monotonic_ns() // 1000 + self.offset
