"""Does the ledger still say what it was told? Every digest, every chain, every total, every price."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from ledger.mapping import GENESIS, digest_of, link_of
from ledger.models import KEY, SUMS, QuarantinedEvent, TenantDay, UsageEvent, UsageHour
from ledger.periods import micros
from ledger.store import totals_of

CHUNK = 1000


@dataclass(slots=True)
class Report:
    """``problems`` are words for people; ``differing`` counts settled events that the gateway priced
    otherwise, which is no damage: its policy and ours may have been different ones."""

    days: int = 0
    events: int = 0
    quarantined: int = 0
    differing: int = 0
    difference_nano: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def holds(self) -> bool:
        return not self.problems


def verify() -> Report:
    """Read everything once, one tenant's day after another."""
    report = Report(quarantined=QuarantinedEvent.objects.count())
    for day in TenantDay.objects.order_by("environment", "tenant", "day").iterator(chunk_size=CHUNK):
        report.days += 1
        report.problems.extend(_problems(day, report))
    entered = UsageEvent.objects.count()
    if entered != report.events:
        report.problems.append(f"{entered} events are stored, {report.events} belong to a day")
    return report


def _problems(day: TenantDay, report: Report) -> Iterator[str]:
    name = f"{day.environment} {day.tenant} {day.day}"
    begin = datetime(day.day.year, day.day.month, day.day.day, tzinfo=UTC)
    end = begin + timedelta(days=1)
    rows = list(
        UsageEvent.objects.filter(
            environment=day.environment,
            tenant=day.tenant,
            occurred_us__gte=micros(begin),
            occurred_us__lt=micros(end),
        ).order_by("chain_seq")
    )
    report.events += len(rows)
    head = GENESIS if rows else day.head
    for expected, row in enumerate(rows, 1):
        where = f"{name}: event {row.chain_seq} ({row.request_id} attempt {row.attempt} {row.kind})"
        if row.chain_seq != expected:
            yield f"{where}: expected number {expected}"
        if digest_of(row) != row.digest:
            yield f"{where}: its content was altered"
        if link_of(head, row) != row.chain:
            yield f"{where}: the chain is broken before it"
        head = row.chain
        if row.kind == "settled" and row.spend_nano is not None and row.spend_nano != row.cost_nano:
            report.differing += 1
            report.difference_nano += row.cost_nano - row.spend_nano
    if (len(rows), head) != (day.events, day.head):
        yield f"{name}: {len(rows)} events end at {head[:19]}, the day says {day.events} at {day.head[:19]}"
    kept = UsageHour.objects.filter(
        environment=day.environment, tenant=day.tenant, hour__gte=begin, hour__lt=end
    )
    totals = {tuple(getattr(row, key) for key in KEY): [getattr(row, sum_) for sum_ in SUMS] for row in kept}
    if totals != totals_of(rows):
        yield f"{name}: the hours' totals are not the sum of their events (`headway ledger rebuild`)"
