"""Each limit as a tenant reads it: how much, of what, how full, and when it is empty again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.utils import timezone

from coordination.spec.kinds import Quota
from coordination.spec.quantities import MILLION, NANO, Money, plain_decimal
from portal.selectors.contract import Contract
from portal.selectors.levels import LimitLevel, Read

OF = {
    "requests": "requests",
    "input_tokens": "input tokens",
    "output_tokens": "output tokens",
    "total_tokens": "tokens",
    "spend": "spend",
}
PER = {"1m": "a minute", "1h": "an hour", "day": "a day", "month": "a month"}
CALENDAR = ("day", "month")
NEARLY, FULL = 80, 100
STEPS = ((2, NANO // 10), (4, NANO // 1_000), (6, NANO // 100_000))
"""(decimals, least amount they are enough for)."""


@dataclass(frozen=True, slots=True)
class Row:
    """One limit. ``used`` and what follows is None where it is unknown."""

    tenant: str
    what: str
    scope: str
    """Which requests it speaks of; empty: all."""
    limit: str
    used: str | None
    percent: float | None
    resets_in: int | None
    """Seconds until it is empty, if nothing more comes."""
    calendar: bool
    zone: str
    """In which the tenant's days and months begin."""

    @property
    def resets_at(self) -> datetime | None:
        """To the minute."""
        if self.resets_in is None:
            return None
        at = timezone.now() + timedelta(seconds=self.resets_in)
        return at.replace(second=0, microsecond=0) + timedelta(minutes=1 if at.second >= 30 else 0)

    @property
    def state(self) -> str:
        if self.percent is None:
            return "unknown"
        return "bad" if self.percent >= FULL else "warn" if self.percent >= NEARLY else "ok"

    @property
    def word(self) -> str:
        return {"unknown": "Unknown", "ok": "Room", "warn": "Nearly full", "bad": "Full"}[self.state]

    @property
    def width(self) -> float:
        return min(100.0, self.percent or 0.0)


def rows(contract: Contract, read: Read, tenant: str) -> list[Row]:
    """Every limit of ``tenant``'s own quotas, as they were written."""
    limits = {(one.quota, one.of, one.per): one for one in read.levels.limits} if read.levels else {}
    places = {one.quota: one for one in read.levels.concurrency} if read.levels else {}
    zone = contract.tenant.spec.zone
    found: list[Row] = []
    for document in contract.quotas_of(tenant):
        quota: Quota = document.spec
        for limit in quota.limits:
            level = limits.get((document.name, limit.of, limit.per))
            most = limit.limit.nano if isinstance(limit.limit, Money) else limit.limit
            if level is not None:
                most = level.limit  # as it is now: by the hour, as administrators set it, as it was raised
            currency = limit.limit.currency if isinstance(limit.limit, Money) else ""
            used = None if level is None else level.used
            found.append(
                Row(
                    tenant=tenant,
                    what=f"{OF[limit.of].capitalize()} {PER[limit.per]}",
                    scope=scope_of(quota),
                    limit=amount(most, currency),
                    used=None if used is None else amount(used, currency),
                    percent=None if used is None else _percent(used, most),
                    resets_in=None if level is None else -(-level.reset_us // MILLION),
                    calendar=limit.per in CALENDAR,
                    zone=zone,
                )
            )
        if quota.concurrency is not None:
            held = places.get(document.name)
            found.append(
                Row(
                    tenant=tenant,
                    what="Requests at once",
                    scope=scope_of(quota),
                    limit=amount(quota.concurrency),
                    used=None if held is None else amount(held.used),
                    percent=None if held is None else _percent(held.used, quota.concurrency),
                    resets_in=None,
                    calendar=False,
                    zone=zone,
                )
            )
    made = [one for one in limits.values() if one.quota == tenant and "/" in tenant]
    return found + [_set(one, tenant, zone) for one in made]


def _set(level: LimitLevel, tenant: str, zone: str) -> Row:
    """A limit that administrators set for a team the policy has no quota for: the gateway's word alone."""
    return Row(
        tenant=tenant,
        what=f"{OF[level.of].capitalize()} {PER[level.per]}",
        scope="",
        limit=amount(level.limit),
        used=amount(level.used),
        percent=_percent(level.used, level.limit),
        resets_in=-(-level.reset_us // MILLION),
        calendar=level.per in CALENDAR,
        zone=zone,
    )


def scope_of(quota: Quota) -> str:
    """``tiers priority, flex`` or ``model llama-3-8b``; empty for all requests."""
    parts = []
    for one, names in (("tier", quota.scope.tiers), ("model", quota.scope.models)):
        if names:
            parts.append(f"{one}{'s' if len(names) > 1 else ''} {', '.join(names)}")
    return "; ".join(parts)


def amount(value: int, currency: str = "") -> str:
    """``4,000,000`` or ``12.50 USD``."""
    return f"{value:,}" if not currency else money(value, currency)


def money(nano: int, currency: str) -> str:
    """To the cent, and further where that would read as nothing: ``12.50 USD``, ``0.0004 USD``."""
    size = abs(nano) or NANO
    places = next((places for places, least in STEPS if size >= least), 9)
    return f"{Decimal(nano) / NANO:,.{places}f} {currency}".strip()


def exact_money(nano: int, currency: str) -> str:
    """To the last nano-unit."""
    return f"{plain_decimal(Decimal(nano) / NANO)} {currency}".strip()


def _percent(used: int, most: int) -> float:
    return 100.0 if not most else used * 100 / most
