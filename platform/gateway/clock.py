"""What time is it, for the rules? (R1) Monotonic, in microseconds since 1970, never backwards."""

from __future__ import annotations

import time


class PolicyClock:
    """The wall clock at start, advanced by the monotonic clock: a step of the former is not seen."""

    __slots__ = ("_offset",)

    def __init__(self) -> None:
        self._offset = time.time_ns() // 1000 - time.monotonic_ns() // 1000

    def now(self) -> int:
        """Microseconds since 1970-01-01T00:00:00Z."""
        return time.monotonic_ns() // 1000 + self._offset
