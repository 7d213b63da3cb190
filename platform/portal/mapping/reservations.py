"""What was promised to a tenant, and what became of it today: used, idle, spilled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from coordination.spec.kinds import Reservation
from coordination.spec.quantities import MILLION
from portal.selectors.contract import Contract
from portal.selectors.latency import TierSeen
from portal.selectors.levels import Read

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Held:
    """One reservation of a tenant."""

    name: str
    about: str
    tenant: str
    tier: str
    pool: str
    input: int
    """Tokens a minute, as the next."""
    output: int
    overflow: str
    starts: datetime | None
    ends: datetime | None
    in_force: bool
    now_input: float | None
    """Percent of what may come at once that is in use; None where it is unknown."""
    now_output: float | None
    used_input: float | None
    """Percent of what was promised today (UTC) that was used; None while nothing was promised today."""
    used_output: float | None
    spilled: int | None
    """Requests of the tier that went on as ordinary traffic in the last hour."""

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
    seen: Mapping[str, TierSeen],
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
    found = []
    for document in contract.reservations:
        spec: Reservation = document.spec
        level = levels.get(document.name)
        starts, ends = _instant(spec.window.from_), _instant(spec.window.until)
        minutes = _minutes(max(filter(None, (midnight, starts))), min(filter(None, (now, ends))))
        uncached, cached, output = totals.get(document.name, (0, 0, 0))
        burnt_in = (uncached * spec.burn.uncached_input + cached * spec.burn.cached_input) / MILLION
        burnt_out = output * spec.burn.output / MILLION
        tier = seen.get(spec.tier)
        found.append(
            Held(
                name=document.name,
                about=document.metadata.description,
                tenant=spec.tenant,
                tier=spec.tier,
                pool=spec.pool,
                input=spec.throughput.input,
                output=spec.throughput.output,
                overflow=spec.overflow.action,
                starts=starts,
                ends=ends,
                in_force=(starts is None or starts <= now) and (ends is None or now < ends),
                now_input=None if level is None else level.input_ppm / 10_000,
                now_output=None if level is None else level.output_ppm / 10_000,
                used_input=_part(burnt_in, spec.throughput.input * minutes),
                used_output=_part(burnt_out, spec.throughput.output * minutes),
                spilled=tier.spilled if tier else None,
            )
        )
    return found


def _part(used: float, promised: float) -> float | None:
    return min(100.0, used * 100 / promised) if promised > 0 else None


def _minutes(since: datetime, until: datetime) -> float:
    return max(timedelta(0), until - since) / timedelta(minutes=1)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else EPOCH + timedelta(microseconds=micros)
