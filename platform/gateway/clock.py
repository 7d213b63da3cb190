"""What time is it, for the rules? (R1) Monotonic, in microseconds since 1970, never backwards."""

from __future__ import annotations

import time


class PolicyClock:
    """The wall clock at start, advanced by the monotonic clock: a step of the former is not seen."""

    __slots__ = ("offset",)

    def __init__(self, offset: int | None = None) -> None:
        """``offset``: of another process's clock on this machine, to tell the same time as it."""
        self.offset = time.time_ns() // 1000 - time.monotonic_ns() // 1000 if offset is None else offset
        """Microseconds from the monotonic clock to this one."""

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.monotonic_ns() // 1000 + self.offset
