"""How much of a limit is left, and when is there room again? (R6, R7, R9)

Every meter answers the same questions: ``room`` (the room test of R6) and ``wait`` (0 = room now),
``take``, ``correct`` (settle, refund), ``remaining`` and ``reset``. Amounts are whole units of the meter's
dimension: requests, tokens, nano-units of money, or millionths of a token in a reservation.
"""

from __future__ import annotations

from typing import Final, Protocol

from coordination.program.records import MILLION, LimitOf, LimitPer, Micros
from coordination.scheduling.periods import calendar_period

PERIODS: Final[dict[str, Micros]] = {"1m": 60 * MILLION, "1h": 3600 * MILLION}
NEVER: Final[Micros] = 1 << 62

MeterKey = tuple[str, str, str, str]
"""(kind, name, dimension, period): what R3 keeps state by."""


class Meter(Protocol):
    """A limit with its level."""

    key: MeterKey
    limit: int

    def room(self, amount: int, now: Micros) -> int: ...
    def wait(self, amount: int, now: Micros) -> Micros: ...
    def take(self, amount: int, now: Micros) -> None: ...
    def correct(self, delta: int, taken_at: Micros, now: Micros) -> None: ...
    def remaining(self, now: Micros) -> int: ...
    def reset(self, now: Micros) -> Micros: ...


class Gcra:
    """A leaky bucket kept as one exact integer: the generic cell rate algorithm.

    ``empty_at`` is the instant at which the bucket will be empty, times ``limit``, so that the
    level (in units times the period) is ``empty_at - now * limit``: no rounding, ever. At most
    ``burst + limit * t / period`` units pass in any interval of length t, plus what settling adds.
    """

    __slots__ = ("burst", "empty_at", "key", "limit", "period", "was_empty")

    def __init__(self, key: MeterKey, limit: int, period: Micros, burst: int, now: Micros) -> None:
        self.key = key
        self.limit = limit
        self.period = period
        self.burst = burst
        self.empty_at = now * limit
        self.was_empty = now
        """Last instant at which the bucket was seen empty."""

    def room(self, amount: int, now: Micros) -> int:
        """Whole units left if the amount may pass now, else -1: the hot path's one look."""
        burst = self.burst
        level = self.empty_at - now * self.limit
        left = burst if level <= 0 else burst - -(-level // self.period)
        return left if left >= amount or (left == burst and self.limit) else -1

    def wait(self, amount: int, now: Micros) -> Micros:
        """Microseconds until ``level + min(amount, burst) <= burst``; a larger hold passes when empty."""
        level = self.empty_at - now * self.limit
        if not self.limit:
            return NEVER
        if level <= 0:
            return 0
        if amount > self.burst:
            amount = self.burst
        excess = level - (self.burst - amount) * self.period
        return -(-excess // self.limit) if excess > 0 else 0

    def take(self, amount: int, now: Micros) -> None:
        floor = now * self.limit
        if self.empty_at <= floor:
            self.empty_at = floor
            self.was_empty = now
        self.empty_at += amount * self.period

    def correct(self, delta: int, taken_at: Micros, now: Micros) -> None:
        """Replace a hold by what it came to: ``delta`` = actual - hold.

        A hold that has drained away since (the bucket ran empty after it was taken) gives nothing
        back: refunding it would let the same drain be used twice.
        """
        if delta < 0 and self.was_empty > taken_at:
            return
        floor = now * self.limit
        if self.empty_at <= floor:
            self.was_empty = now
            if delta < 0:
                return
            self.empty_at = floor
        level_at = self.empty_at + delta * self.period
        self.empty_at = level_at if level_at > floor else floor

    def remaining(self, now: Micros) -> int:
        level = self.empty_at - now * self.limit
        if level <= 0:
            return self.burst
        left = self.burst - -(-level // self.period)
        return left if left > 0 else 0

    def reset(self, now: Micros) -> Micros:
        """Microseconds until the bucket is empty."""
        if not self.limit:
            return 0
        level = self.empty_at - now * self.limit
        return -(-level // self.limit) if level > 0 else 0

    def give(self, amount: int | None, now: Micros) -> None:
        """Take ``amount`` off the level, or all of it. Holds that were taken before give nothing back."""
        floor = now * self.limit
        left = floor if amount is None else self.empty_at - amount * self.period
        if left <= floor:
            self.was_empty, left = now, floor
        self.empty_at = left

    def resize(self, limit: int, burst: int, now: Micros) -> None:
        """New limit, same level, clipped to the new burst (R3)."""
        level = min(max(0, self.empty_at - now * self.limit), burst * self.period)
        self.limit = limit
        self.burst = burst
        self.empty_at = now * limit + level


class CalendarCounter:
    """Units used since the tenant's last midnight, or the first of its month."""

    __slots__ = ("end", "key", "limit", "per", "start", "used", "zone")

    def __init__(self, key: MeterKey, limit: int, per: LimitPer, zone: str, now: Micros) -> None:
        self.key = key
        self.limit = limit
        self.per = per
        self.zone = zone
        self.used = 0
        """Below 0: more was credited than used."""
        self.start, self.end = calendar_period(zone, per, now)

    @property
    def period(self) -> Micros:
        """Length of this day or month."""
        return self.end - self.start

    def room(self, amount: int, now: Micros) -> int:
        """Units left if the amount may pass now, else -1."""
        if now >= self.end:
            self._roll(now)
        left = self.limit - self.used
        return left if left >= amount or (left >= self.limit and self.limit) else -1

    def wait(self, amount: int, now: Micros) -> Micros:
        if now >= self.end:
            self._roll(now)
        if not self.limit:
            return NEVER
        return 0 if self.used + min(amount, self.limit) <= self.limit else self.end - now

    def take(self, amount: int, now: Micros) -> None:
        if now >= self.end:
            self._roll(now)
        self.used += amount

    def correct(self, delta: int, taken_at: Micros, now: Micros) -> None:
        """Settles in the hold's own period (R6): one that is over is not reopened."""
        if now >= self.end:
            self._roll(now)
        if taken_at >= self.start:
            self.used = max(min(0, self.used), self.used + delta)

    def remaining(self, now: Micros) -> int:
        if now >= self.end:
            self._roll(now)
        return max(0, self.limit - self.used)

    def reset(self, now: Micros) -> Micros:
        return max(0, self.end - now)

    def give(self, amount: int | None) -> None:
        """So much more may be used in this period; None: as much as at its start."""
        self.used = 0 if amount is None else self.used - amount

    def resize(self, limit: int, zone: str, now: Micros) -> None:
        """New limit or zone; what was used stays used (R3)."""
        self.limit = limit
        if zone != self.zone:
            self.zone = zone
            self.start, self.end = calendar_period(zone, self.per, now)

    def _roll(self, now: Micros) -> None:
        self.start, self.end = calendar_period(self.zone, self.per, now)
        self.used = 0


QuotaMeter = Gcra | CalendarCounter


class Slots:
    """Requests admitted and not yet over, against a ceiling (R7)."""

    __slots__ = ("limit", "name", "used")

    def __init__(self, name: str, limit: int) -> None:
        self.name = name
        self.limit = limit
        self.used = 0


def resized(meter: QuotaMeter, limit: int, zone: str, now: Micros) -> None:
    """Give a meter of a quota another limit; its level stays, clipped (R3)."""
    if isinstance(meter, Gcra):
        meter.resize(limit, limit, now)
    else:
        meter.resize(limit, zone, now)


def quota_key(quota: str, of: LimitOf, per: LimitPer) -> MeterKey:
    return ("quota", quota, of, per)


def quota_meter(key: MeterKey, per: LimitPer, limit: int, zone: str, now: Micros) -> QuotaMeter:
    """Minute and hour are GCRA with a burst of one period; day and month are calendar counters."""
    period = PERIODS.get(per)
    if period is None:
        return CalendarCounter(key, limit, per, zone, now)
    return Gcra(key, limit, period, limit, now)
