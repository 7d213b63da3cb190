"""In which second of our clock did a gateway's interval lie?

Gateways' clocks differ from ours and from each other. A shipment tells its gateway's time as it leaves,
and the difference to ours, in whole seconds, moves its batches. Whole seconds, because gateways begin
their intervals on whole seconds of theirs: a finer correction would now and then put two of them into
one of ours and none into the next. It changes only when the clocks have moved apart for certain.
"""

from __future__ import annotations

SECOND = 1_000_000
STEADY = 750_000
"""Microseconds by which the difference must have moved before another one is used."""
LATEST = 35 * 60
"""Seconds: a gateway back-fills half an hour, and no more is believed."""
AHEAD = 5
"""Seconds in the future that are believed."""


class Skews:
    """The correction of each gateway, in whole seconds."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def correction(self, gateway: str, ours_us: int, theirs_us: int) -> int:
        """Seconds to add to the gateway's times."""
        measured = ours_us - theirs_us
        used = self._used.get(gateway)
        if used is None or abs(measured - used * SECOND) > STEADY:
            used = self._used[gateway] = round(measured / SECOND)
        return used


def second_of(sent_at: int, interval_us: int, correction: int) -> int:
    """The second that holds the middle of the interval: it may begin and end a little late."""
    return (sent_at - interval_us // 2) // SECOND + correction


def believable(second: int, now: int) -> bool:
    return now - LATEST <= second <= now + AHEAD
