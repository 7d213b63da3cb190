"""How does usage enter the ledger? Each event once; what contradicts it, or its time, aside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import IntegrityError, connection, transaction

from coordination.wire.usage import Event
from ledger import periods, store
from ledger.mapping import Key, Origin, PriceLists, body_of, key_of, link_of, price, row_of
from ledger.models import QuarantinedEvent, UsageEvent

PRICES = PriceLists()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch's events."""

    accepted: int = 0
    duplicates: int = 0
    """Here already, word for word."""
    quarantined: dict[str, int] = field(default_factory=dict)
    """By reason: kept aside, never lost, and never charged by itself."""


def record(origin: Origin, events: Iterable[Event]) -> Receipt:
    """Enter ``events``, in a transaction of its own that is on the disk when this returns.

    Sending them again, in any order and any grouping, changes nothing.
    """
    rows = [row_of(event, origin) for event in events]
    try:
        return _commit(origin, rows)
    except IntegrityError:
        # Another process entered one of them, under another tenant's lock, since we looked.
        return _commit(origin, rows)


def _commit(origin: Origin, rows: Sequence[UsageEvent]) -> Receipt:
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO ON")
        return _record(origin, rows)


def _record(origin: Origin, rows: Sequence[UsageEvent]) -> Receipt:
    # Before looking: whoever holds a day's lock has brought everything of it that we do not see yet.
    days = store.lock_days(
        (row.environment, row.tenant, periods.day_of(row.occurred_us))
        for row in rows
        if periods.out_of_bounds(row.occurred_us, row.received_us) is None
    )
    held: dict[Key, str] = store.held_digests(origin.gateway, (row.request_id for row in rows))
    fresh: list[UsageEvent] = []
    aside: list[QuarantinedEvent] = []
    for row in rows:
        known = held.get(key_of(row))
        reason = periods.out_of_bounds(row.occurred_us, row.received_us)
        if known is not None:
            if known != row.digest:
                aside.append(_aside(row, QuarantinedEvent.Reason.CONFLICT))
        elif reason is not None:
            aside.append(_aside(row, reason))
        else:
            held[key_of(row)] = row.digest
            fresh.append(row)
    prices = PRICES.of(origin.environment)
    for row in fresh:
        day = days[row.environment, row.tenant, periods.day_of(row.occurred_us)]
        price(row, prices)
        day.events += 1
        row.chain_seq, row.chain = day.events, link_of(day.head, row)
        day.head = row.chain
    store.add_events(fresh)
    store.save_days(days.values())
    store.add_to_hours(fresh)
    store.add_quarantined(aside)
    return Receipt(
        accepted=len(fresh),
        duplicates=len(rows) - len(fresh) - len(aside),
        quarantined=dict(Counter(str(row.reason) for row in aside)),
    )


def _aside(row: UsageEvent, reason: str) -> QuarantinedEvent:
    return QuarantinedEvent(
        environment=row.environment,
        gateway=row.gateway,
        request_id=row.request_id,
        attempt=row.attempt,
        kind=row.kind,
        tenant=row.tenant,
        reason=reason,
        digest=row.digest,
        body=body_of(row),
        received_at=periods.instant(row.received_us),
    )
