"""How was one tenant served, and each tier; who used what, just now and over the last hour? Reads only.

For pages of a tenant's own people (``tenant`` means that tenant and all below it; whoever calls has asked
whether its reader may see that tenant):

    for row in own_latency("dev", "acme", minutes=60):
        row.tier, row.requests, row.ttft_p50_ms, row.ttft_p95_ms, row.itl_p50_ms, row.queue_p95_ms
    row.within("queue", 2_000_000)   # part of its requests that waited at most two seconds: the promise

    used = own_use("dev", "acme", minutes=60)
    used.requests, used.input, used.output, used.refused   # refused: code -> count

The same while it happens, over ``/ws/live``: subscribe to ``me.usage`` and ``me.latency`` (``args``:
``{"environment": ...}``; ``{"tenant": ...}`` chooses among one's own). ``me.usage`` has a row a tier and
one named ``*`` of all together, with requests, refused and tokens a second over the last ten seconds, and
requests_1m, input_1m and output_1m, what was used in the last sixty seconds: what fills a limit a minute.
``me.latency`` has a row a tier with ttft_p50, ttft_p95, itl_p50, itl_p95 and queue_p95 in milliseconds,
over the last minute. What is unknown is null.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from telemetry.live import running
from telemetry.series import store
from telemetry.series.tables import MINUTE, of_tenant
from telemetry.series.tally import Tally

HOUR = 60
"""Minutes."""


@dataclass(frozen=True, slots=True)
class TierLatency:
    """How one tier served over a stretch of time."""

    tier: str
    tally: Tally

    @property
    def requests(self) -> int:
        return self.tally.counts["requests"]

    @property
    def ttft_p50_ms(self) -> float | None:
        return self.tally.milliseconds("ttft", 50)

    @property
    def ttft_p95_ms(self) -> float | None:
        return self.tally.milliseconds("ttft", 95)

    @property
    def itl_p50_ms(self) -> float | None:
        return self.tally.milliseconds("itl", 50)

    @property
    def itl_p95_ms(self) -> float | None:
        return self.tally.milliseconds("itl", 95)

    @property
    def queue_p95_ms(self) -> float | None:
        return self.tally.milliseconds("queue", 95)

    def within(self, sketch: str, most_us: int) -> float | None:
        """Part (0 to 1) of what ``sketch`` counted that took at most ``most_us``; None of nothing."""
        found = self.tally.sketches[sketch]
        return found.count_at_most(most_us) / found.count if found.count else None


@dataclass(frozen=True, slots=True)
class Use:
    """What was asked for and used."""

    requests: int
    completed: int
    failed: int
    input: int
    """Tokens, cached ones among them."""
    cached_input: int
    output: int
    refused: Mapping[str, int]
    """By code."""
    reserved: int
    """Requests in the reservation's lane."""
    spilled: int
    promised: int
    """Requests whose reservation promised them their first byte in time."""
    honoured: int


def own_latency(
    environment: str, tenant: str, *, minutes: int = 60, now: float | None = None
) -> list[TierLatency]:
    """By tier, of the last ``minutes``, the one that runs included."""
    tallies = _by_tier(environment, tenant, minutes, now)
    return [TierLatency(tier, tally) for tier, tally in sorted(tallies.items()) if tier]


def own_use(environment: str, tenant: str, *, minutes: int = 60, now: float | None = None) -> Use:
    """Of the last ``minutes``, the one that runs included, in every tier."""
    total = Tally()
    for tally in _by_tier(environment, tenant, minutes, now).values():
        total.merge(tally)
    counts = total.counts
    return Use(
        requests=counts["requests"],
        completed=counts["completed"],
        failed=counts["failed"],
        input=counts["uncached_input"] + counts["cached_input"],
        cached_input=counts["cached_input"],
        output=counts["output"],
        refused=dict(sorted(total.refused.items())),
        reserved=counts["reserved"],
        spilled=counts["spilled"],
        promised=counts["promised"],
        honoured=counts["honoured"],
    )


def _by_tier(environment: str, tenant: str, minutes: int, now: float | None) -> dict[str, Tally]:
    """Stored minutes, and what the hub of this process holds of those that are not stored yet."""
    at = int(time.time() if now is None else now)
    first, stored = at // 60 - minutes, -1
    tallies: dict[str, Tally] = {}
    for row in store.minutes(environment, first, at // 60 + 1, tenants=(tenant,)):
        stored = row.minute
        tallies.setdefault(row.tier, Tally()).merge(store.tally_of(row))
    hub = running.hub()
    if hub is not None:
        newer = [
            second
            for number, second in hub.seconds_of(environment, 3 * MINUTE)
            if number // 60 > max(stored, first - 1)
        ]
        for tier, tally in of_tenant(newer, tenant).items():
            tallies.setdefault(tier, Tally()).merge(tally)
    return tallies


@dataclass(frozen=True, slots=True)
class TierHour:
    """How one tier served in the last hour."""

    tier: str
    tally: Tally
    p95_ms: tuple[float | None, ...]
    """Time to first token, minute by minute, the oldest first."""

    def kept(self, max_wait_us: int) -> tuple[int, int]:
        """Requests for which the tier's promise was kept, and all of those it was given to.

        Kept: admitted, waited no longer than the tier says, and not failed by us. Not kept: failed, turned
        away because we were full, waited longer. A caller's own limit, error or leaving says nothing.
        """
        counts, waited = self.tally.counts, self.tally.sketches["queue"]
        late = waited.count - waited.count_at_most(max_wait_us)
        broken = counts["failed"] + self.tally.shed + late
        served = counts["completed"] + counts["aborted"]
        return max(0, served - late), max(0, served - late) + broken

    def answered(self) -> tuple[int, int]:
        """Requests that were answered, and all but those a caller's own limit, error or leaving ended."""
        counts = self.tally.counts
        served = counts["completed"] + counts["aborted"]
        return served, served + counts["failed"] + self.tally.shed

    def within(self, sketch: str, most_us: int) -> tuple[int, int]:
        """Of what ``sketch`` counted, how many took at most ``most_us``, and all of them."""
        found = self.tally.sketches[sketch]
        return found.count_at_most(most_us), found.count


def tier_hours(environment: str, *, now: float | None = None) -> dict[str, TierHour]:
    """Every tier that was asked for in the last hour, of stored minutes."""
    until = int(time.time() if now is None else now) // 60
    totals: dict[str, Tally] = {}
    minutes: dict[str, list[Tally | None]] = {}
    for row in store.minutes(environment, until - HOUR, until):
        if row.tier:
            tally = store.tally_of(row)
            totals.setdefault(row.tier, Tally()).merge(tally)
            of = minutes.setdefault(row.tier, [None] * HOUR)
            at = row.minute - until + HOUR
            if (held := of[at]) is None:
                of[at] = tally
            else:
                held.merge(tally)
    return {
        tier: TierHour(
            tier,
            total,
            tuple(None if each is None else each.milliseconds("ttft", 95) for each in minutes[tier]),
        )
        for tier, total in totals.items()
    }


@dataclass(frozen=True, slots=True)
class Waiting:
    """Who waits in one band, over every pool."""

    depth: int
    oldest_ms: float


def waiting_now(environment: str) -> dict[int, Waiting] | None:
    """By band; None while this process has no figures."""
    hub = running.hub()
    newest = None if hub is None else hub.newest(environment, "fleet.queues")
    if newest is None:
        return None
    bands: dict[int, Waiting] = {}
    for key, (depth, oldest) in newest.items():
        band = int(key.rpartition(" ")[2])
        held = bands.get(band, Waiting(0, 0.0))
        bands[band] = Waiting(held.depth + int(depth or 0), max(held.oldest_ms, oldest or 0.0))
    return bands
