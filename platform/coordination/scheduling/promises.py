"""Which reserved requests were promised their first byte in time, and did they get it? (R8)

A reservation promises a rate rho, not that any burst is served at once. "Honoured" is promised to the
(sigma, rho)-conforming part of the streamed requests that conform to the reservation: those that, with all
promised before them, stay within a bucket that drains at rho and holds
sigma = rho x (ttft objective - prefill - reclaim_within). What is in the bucket, lent capacity that is taken
back, and the request's own prefill together take no longer than the objective then. Where the three of them
leave no time, nothing is promised.

Requests that are not promised leave the bucket alone. A client that leaves before its objective was up was
promised nothing either: both numbers of a reservation count requests whose first byte came, or did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from coordination.program.index import Reservation
from coordination.program.records import MILLION, Micros
from coordination.scheduling import reasons
from coordination.scheduling.limits import Gcra
from coordination.scheduling.reservations import LaneBuckets, burst_of

if TYPE_CHECKING:
    from coordination.scheduling.decisions import Decision
    from coordination.scheduling.pools import PoolState
    from coordination.scheduling.state import State


class Kept:
    """Of one reservation, since the start."""

    __slots__ = ("honoured", "promised")

    def __init__(self) -> None:
        self.promised = 0
        """Requests that conformed, and came to their first byte or to the end of their time."""
        self.honoured = 0
        """Of these, those whose first byte was there in time."""


class Envelope:
    """What one portion of a reservation has promised lately: the (sigma, rho) bucket of each side."""

    __slots__ = ("input", "output")

    def __init__(self, lane: LaneBuckets, now: Micros) -> None:
        self.input = Gcra(lane.input.key, lane.input.limit, lane.input.period, 0, now)
        self.output = Gcra(lane.output.key, lane.output.limit, lane.output.period, 0, now)

    def takes(self, reservation: Reservation, burnt: tuple[int, int], slack: Micros, now: Micros) -> bool:
        """Does the request conform, if it may find so much as drains in ``slack``? Then it is in."""
        rates = (reservation.input_per_minute, reservation.output_per_minute)
        sides = (self.input, self.output)
        for bucket, rate, amount in zip(sides, rates, burnt, strict=True):
            if bucket.limit != rate * MILLION:  # another policy: the level stays
                window = reservation.record.enforcement_window
                bucket.resize(rate * MILLION, burst_of(rate, window), now)
            bucket.burst = burst_of(rate, slack)
            if bucket.wait(amount, now):
                return False
        self.input.take(burnt[0], now)
        self.output.take(burnt[1], now)
        return True


class Promise:
    """To one request: its first byte by ``until``."""

    __slots__ = ("burnt", "envelope", "honoured", "kept", "open", "taken_at", "until")

    def __init__(
        self, kept: Kept, envelope: Envelope, burnt: tuple[int, int], until: Micros, taken_at: Micros
    ) -> None:
        self.kept = kept
        self.envelope = envelope
        self.burnt = burnt
        self.until = until
        self.taken_at = taken_at
        self.open = True
        self.honoured: bool | None = None
        """None while that is open, and for good when the client left early enough."""

    def first_byte(self, now: Micros) -> None:
        if self.open:
            self._ends(now <= self.until)

    def broken(self) -> None:
        """It was refused, or failed for good."""
        if self.open:
            self._ends(honoured=False)

    def left(self, now: Micros) -> None:
        """The client left before its first byte."""
        if now > self.until:
            self.broken()
        self.open = False

    def _ends(self, honoured: bool) -> None:
        self.open = False
        self.honoured = honoured
        self.kept.promised += 1
        self.kept.honoured += honoured

    def correct(self, burnt: tuple[int, int], now: Micros) -> None:
        """What it burnt, in place of what was held for it."""
        for bucket, after, before in zip(
            (self.envelope.input, self.envelope.output), burnt, self.burnt, strict=True
        ):
            bucket.correct(after - before, self.taken_at, now)
        self.burnt = burnt


def objective_for(reservation: Reservation, uncached: int) -> Micros | None:
    """The tightest time to the first token its tier promises for so many tokens to compute."""
    return min(
        (one.target for one in reservation.ttft if one.covers(uncached)),
        default=None,
    )


def slack_of(reservation: Reservation, objective: Micros, prefill: Micros) -> Micros:
    """How long what is ahead of the request may take; below 0 nothing is promised."""
    record = reservation.record
    return objective - prefill - (record.reclaim_within if record.lend_when_idle else 0)


def promise(
    state: State,
    pool: PoolState,
    reservation: Reservation,
    lane: LaneBuckets,
    burnt: tuple[int, int],
    decision: Decision,
    now: Micros,
) -> None:
    """Of a request that conforms to a reservation: is it promised its first byte in time? Asked once, of the
    first reservation it conforms to; and of none whose first token cannot be told from its last."""
    request = decision.request
    if decision.promise is not None or not request.streamed:
        return
    uncached = decision.held[0]
    objective = objective_for(reservation, uncached)
    if objective is None:
        return
    slack = slack_of(reservation, objective, pool.prefill_us(uncached))
    if slack < 0:
        return
    envelope = state.promised.get(reservation.key)
    if envelope is None:
        envelope = state.promised[reservation.key] = Envelope(lane, now)
    if not envelope.takes(reservation, burnt, slack, now):
        return
    kept = state.kept.setdefault(reservation.name, Kept())
    decision.promise = Promise(kept, envelope, burnt, request.arrived + objective, now)
    decision.trace.append((reasons.PROMISED, reservation.name, objective, slack))
