"""Does a tenant's use of a tier grow faster than it may? (R10)"""

from __future__ import annotations

from coordination.program.index import MINUTE
from coordination.program.records import MILLION, Micros, RampRecord
from coordination.scheduling.limits import Gcra


class Ramp:
    """Tokens a minute: the floor, or so much more than the mean of the last full minutes.

    Minutes without use count as such. A hold is settled in its own minute, as far as that still counts.
    """

    __slots__ = ("_floor", "_growth_ppm", "_minute", "_used", "meter")

    def __init__(self, tenant: str, tier: str, record: RampRecord, now: Micros) -> None:
        self._minute = now // MINUTE
        self._used: list[int] = []
        """Tokens of each minute that counts, the newest last: that of ``_minute``, not over yet."""
        self._floor = self._growth_ppm = 0
        self.meter = Gcra(("ramp", tenant, tier, "1m"), 1, MINUTE, 1, now)
        self.follow(record, now)

    def follow(self, record: RampRecord, now: Micros) -> None:
        """Take another record's figures; what was used stays used (R3)."""
        self._floor, self._growth_ppm = max(1, record.floor), record.growth_ppm
        length = max(1, record.per // MINUTE) + 1
        self._used = ([0] * length + self._used)[-length:]
        self._resize(now)

    @property
    def limit(self) -> int:
        """Tokens a minute it may use in the minute last looked at."""
        return self.meter.limit

    def room(self, amount: int, now: Micros) -> int:
        """Tokens left if the amount may pass now, else -1."""
        self._roll(now)
        return self.meter.room(amount, now)

    def wait(self, amount: int, now: Micros) -> Micros:
        """Until the amount may pass by the rate of this minute."""
        self._roll(now)
        return self.meter.wait(amount, now)

    def take(self, amount: int, now: Micros) -> None:
        self._roll(now)
        self.meter.take(amount, now)
        self._used[-1] += amount

    def correct(self, delta: int, taken_at: Micros, now: Micros) -> None:
        self._roll(now)
        self.meter.correct(delta, taken_at, now)
        age = self._minute - taken_at // MINUTE
        if 0 <= age < len(self._used):
            self._used[-1 - age] = max(0, self._used[-1 - age] + delta)

    def _roll(self, now: Micros) -> None:
        passed = now // MINUTE - self._minute
        if passed <= 0:
            return
        self._minute += passed
        length = len(self._used)
        self._used = (self._used + [0] * min(passed, length))[-length:]
        self._resize(now)

    def _resize(self, now: Micros) -> None:
        full = self._used[:-1]
        grown = (MILLION + self._growth_ppm) * sum(full) // (MILLION * len(full))
        limit = max(self._floor, grown)
        if limit != self.meter.limit:
            self.meter.resize(limit, limit, now)
