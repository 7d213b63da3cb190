"""What was promised to a tenant, and what became of it today: used, idle, spilled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coordination.compiler.windows import HORIZON, Interval, intervals
from coordination.spec.kinds import Reservation
from coordination.spec.quantities import EPOCH, LARGEST, MILLION
from portal.selectors.contract import Contract
from portal.selectors.levels import Read
from telemetry.selectors import TierLatency

MINUTE = 60 * MILLION


@dataclass(frozen=True, slots=True)
class Held:
    """One reservation of a tenant."""

    name: str
    about: str
    tenant: str
    tier: str
    where: str
    """Pool, or model and regions, as the contract says it."""
    input: int
    """Tokens a minute, as the next."""
    output: int
    overflow: str
    starts: datetime | None
    """When it is next in force; None while it is, and when it never will be again."""
    ends: datetime | None
    """When it stops being in force; None while it is not, and for one without an end."""
    in_force: bool
    now_input: float | None
    """Percent of what may come at once that is in use; None where it is unknown."""
    now_output: float | None
    used_input: float | None
    """Percent of what was promised today (UTC) that was used; None while nothing was promised today."""
    used_output: float | None
    spilled: int | None
    """Requests of the tier that went on as ordinary traffic in the last hour."""
    promised: int | None
    """Requests of the tier that were promised their first byte in time, in the last hour."""
    honoured: int | None
    """Of these, those that had it in time."""

    @property
    def idle(self) -> float | None:
        """Percent of the promise of today that nobody of the tenant used, on its busier side."""
        if self.used_input is None or self.used_output is None:
            return None
        return max(0.0, 100.0 - max(self.used_input, self.used_output))

    @property
    def used(self) -> float | None:
        return None if self.idle is None else 100.0 - self.idle


def held(
    contract: Contract,
    read: Read,
    usage: Iterable[Mapping[str, Any]],
    seen: Iterable[TierLatency],
    now: datetime,
) -> list[Held]:
    """``usage``: totals of today by reservation; ``seen``: the last hour by tier."""
    levels = {one.reservation: one for one in read.levels.reservations} if read.levels else {}
    totals: dict[str, list[int]] = {}
    for row in usage:
        sums = totals.setdefault(row["reservation"], [0, 0, 0])
        for i, name in enumerate(("uncached_input", "cached_input", "output")):
            sums[i] += row[name]
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    counts = {each.tier: each.tally.counts for each in seen}
    found = []
    for document in contract.reservations:
        spec: Reservation = document.spec
        level = levels.get(document.name)
        of_tier = counts.get(spec.tier, {})
        at = _micros(now)
        times = intervals(spec.window, _micros(midnight), at + HORIZON)
        minutes = _minutes(times, _micros(midnight), at)
        current = next((one for one in times if one.start <= at < one.end), None)
        coming = next((one for one in times if one.start > at), None)
        uncached, cached, output = totals.get(document.name, (0, 0, 0))
        burnt_in = (uncached * spec.burn.uncached_input + cached * spec.burn.cached_input) / MILLION
        burnt_out = output * spec.burn.output / MILLION
        found.append(
            Held(
                name=document.name,
                about=document.metadata.description,
                tenant=spec.tenant,
                tier=spec.tier,
                where=_where(spec),
                input=spec.throughput.input,
                output=spec.throughput.output,
                overflow=spec.overflow.action,
                starts=_instant(coming.start) if coming and not current else None,
                ends=_instant(current.end) if current and current.end < LARGEST else None,
                in_force=current is not None,
                now_input=None if level is None else level.input_ppm / 10_000,
                now_output=None if level is None else level.output_ppm / 10_000,
                used_input=_part(burnt_in, spec.throughput.input * minutes),
                used_output=_part(burnt_out, spec.throughput.output * minutes),
                spilled=of_tier.get("spilled"),
                promised=of_tier.get("promised"),
                honoured=of_tier.get("honoured"),
            )
        )
    return found


def _where(spec: Reservation) -> str:
    if spec.pool is not None:
        return f"pool {spec.pool}"
    return f"model {spec.model}" + (f" in {', '.join(spec.regions)}" if spec.regions else "")


def _part(used: float, promised: float) -> float | None:
    return min(100.0, used * 100 / promised) if promised > 0 else None


def _minutes(times: Iterable[Interval], since: int, until: int) -> float:
    """Of ``times`` within [since, until)."""
    return sum(max(0, min(one.end, until) - max(one.start, since)) for one in times) / MINUTE


def _micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)
