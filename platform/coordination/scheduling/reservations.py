"""Does a request fit the rate its tenant has reserved? (R8)"""

from __future__ import annotations

from coordination.program.index import MINUTE, Reservation
from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling.limits import Gcra, MeterKey
from coordination.scheduling.values import Usage


def burst_of(tokens_per_minute: int, window: Micros) -> int:
    """B = rate x enforcement window, in millionths of a token."""
    return tokens_per_minute * MILLION * window // MINUTE


def bucket_key(reservation: str, side: str) -> MeterKey:
    return ("reservation", reservation, side, "1m")


class LaneBuckets:
    """The two leaky buckets of a reservation, in millionths of a token *burnt* (R5)."""

    __slots__ = ("factor_ppm", "input", "left", "output")

    def __init__(self, reservation: Reservation, now: Micros) -> None:
        self.factor_ppm: Ppm = MILLION
        """How much of what is reserved the pool can still give."""
        self.left: tuple[Gcra, Gcra] | None = None
        """The two buckets at the rates that are left, while capacity is lost."""
        self.input = _bucket(reservation, "input", reservation.input_per_minute, now)
        self.output = _bucket(reservation, "output", reservation.output_per_minute, now)

    def wait(self, burn: tuple[int, int], now: Micros) -> Micros:
        """Microseconds until both buckets have room: 0 is conforming."""
        return max(self.input.wait(burn[0], now), self.output.wait(burn[1], now))

    def short(self, burn: tuple[int, int], now: Micros) -> Micros:
        """Microseconds until there is room at the rates that are left; 0 = now."""
        if self.left is None:
            return 0
        return max(self.left[0].wait(burn[0], now), self.left[1].wait(burn[1], now))

    def promise(self, burn: tuple[int, int], now: Micros) -> None:
        """What was asked for within the promise counts against it, whether or not it could be given."""
        self.input.take(burn[0], now)
        self.output.take(burn[1], now)

    def take(self, burn: tuple[int, int], now: Micros) -> None:
        self.promise(burn, now)
        if self.left is not None:
            self.left[0].take(burn[0], now)
            self.left[1].take(burn[1], now)

    def correct(self, delta: tuple[int, int], taken_at: Micros, now: Micros) -> None:
        self.input.correct(delta[0], taken_at, now)
        self.output.correct(delta[1], taken_at, now)
        if self.left is not None:
            self.left[0].correct(delta[0], taken_at, now)
            self.left[1].correct(delta[1], taken_at, now)

    def follow(self, reservation: Reservation, factor_ppm: Ppm, now: Micros) -> None:
        """Let the rates fall to so much of what is promised, or rise again."""
        if factor_ppm == self.factor_ppm:
            return
        self.factor_ppm = factor_ppm
        if factor_ppm == MILLION:
            self.left = None
            return
        if self.left is None:
            self.left = (
                _bucket(reservation, "input", reservation.input_per_minute, now),
                _bucket(reservation, "output", reservation.output_per_minute, now),
            )
        for left, whole in zip(self.left, (self.input, self.output), strict=True):
            left.resize(whole.limit * factor_ppm // MILLION, whole.burst * factor_ppm // MILLION, now)

    def resize(self, reservation: Reservation, now: Micros) -> None:
        """A new rate keeps the level, clipped to the new burst (R3)."""
        window = reservation.record.enforcement_window
        for bucket, rate in (
            (self.input, reservation.input_per_minute),
            (self.output, reservation.output_per_minute),
        ):
            bucket.resize(rate * MILLION, burst_of(rate, window), now)
        factor, self.factor_ppm = self.factor_ppm, MILLION
        self.follow(reservation, factor, now)


def burn(reservation: Reservation, usage: Usage) -> tuple[int, int]:
    """What tokens of each class burn of the reservation's input and output rates."""
    vector = reservation.record.burn
    read = usage.uncached_input * vector.uncached_input_ppm + usage.cached_input * vector.cached_input_ppm
    made = usage.output * vector.output_ppm
    if usage.cache_write:
        read += usage.cache_write * vector.cache_write
    if usage.reasoning:
        made += usage.reasoning * vector.reasoning
    return read, made


def _bucket(reservation: Reservation, side: str, rate: int, now: Micros) -> Gcra:
    window = reservation.record.enforcement_window
    return Gcra(bucket_key(reservation.key, side), rate * MILLION, MINUTE, burst_of(rate, window), now)
