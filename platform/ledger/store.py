"""How are events and totals written in bulk? In one statement for many rows, on either database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from operator import attrgetter
from typing import Any

from django.db import connection, models

from foundation.locking import locked
from ledger.models import KEY, SUMS, QuarantinedEvent, TenantDay, UsageEvent, UsageHour
from ledger.periods import hour_of

CHUNK = 400
"""Values in one IN list, rows in one lock."""
PLAIN = (models.CharField, models.IntegerField)
"""Fields whose values every driver takes as they are."""
DayKey = tuple[str, str, date]
"""(environment, tenant, day)."""


def held_digests(gateway: str, requests: Iterable[str]) -> dict[tuple[str, int, str], str]:
    """(request, attempt, kind) -> digest, of what is in the ledger already."""
    found: dict[tuple[str, int, str], str] = {}
    for part in _chunks(sorted(set(requests))):
        rows = UsageEvent.objects.filter(gateway=gateway, request_id__in=part)
        found.update(
            ((request, attempt, kind), digest)
            for request, attempt, kind, digest in rows.values_list("request_id", "attempt", "kind", "digest")
        )
    return found


def lock_days(keys: Iterable[DayKey]) -> dict[DayKey, TenantDay]:
    """The chains of these days, made where missing, held until the transaction ends.

    In the order of their keys, so that two writers never wait for each other.
    """
    wanted = sorted(set(keys))
    TenantDay.objects.bulk_create(
        [TenantDay(environment=environment, tenant=tenant, day=day) for environment, tenant, day in wanted],
        ignore_conflicts=True,
    )
    found: dict[DayKey, TenantDay] = {}
    for key in wanted:
        row = locked(TenantDay.objects.filter(environment=key[0], tenant=key[1], day=key[2])).get()
        found[key] = row
    return found


def add_events(rows: Sequence[UsageEvent]) -> None:
    """Raises ``IntegrityError`` if another transaction brought one of them meanwhile."""
    _insert(UsageEvent, rows)


def add_quarantined(rows: Sequence[QuarantinedEvent]) -> None:
    """One that lies there already stays as it is."""
    QuarantinedEvent.objects.bulk_create(rows, ignore_conflicts=True, batch_size=CHUNK)


def save_days(rows: Iterable[TenantDay]) -> None:
    for row in rows:
        row.save(update_fields=["events", "head"])


def totals_of(rows: Iterable[UsageEvent]) -> dict[tuple[Any, ...], list[int]]:
    """What events add up to: values of ``KEY`` -> sums in the order of ``SUMS``."""
    totals: dict[tuple[Any, ...], list[int]] = {}
    for row in rows:
        key = (
            row.environment,
            hour_of(row.occurred_us),
            row.statement,
            row.tenant,
            row.tier,
            row.model,
            row.key_id,
            row.reservation,
            row.currency,
        )
        sums = totals.setdefault(key, [0] * len(SUMS))
        for at, amount in enumerate(_amounts(row)):
            sums[at] += amount
    return totals


def add_to_hours(rows: Iterable[UsageEvent]) -> None:
    """Add events to the totals of their hours. In the order of the keys, for the same reason as above."""
    totals = totals_of(rows)
    names = ", ".join(f'"{name}"' for name in (*KEY, *SUMS))
    table = UsageHour._meta.db_table
    added = ", ".join(f'"{name}" = "{table}"."{name}" + excluded."{name}"' for name in SUMS)
    unique = ", ".join(f'"{name}"' for name in KEY)
    places = ", ".join(["%s"] * (len(KEY) + len(SUMS)))
    # Names are this module's own constants; every value is a parameter.
    statement = (
        f'INSERT INTO "{table}" ({names}) VALUES ({places}) '  # noqa: S608
        f"ON CONFLICT ({unique}) DO UPDATE SET {added}"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [(*_adapted(key), *sums) for key, sums in sorted(totals.items())])


def replace_hours(environment: str, hours: Iterable[Any], rows: Iterable[UsageEvent]) -> None:
    """The totals of some hours, made of all their events."""
    for part in _chunks(list(hours)):
        UsageHour.objects.filter(environment=environment, hour__in=part).delete()
    add_to_hours(rows)


def _amounts(row: UsageEvent) -> tuple[int, ...]:
    return (
        1,
        row.outcome == "completed",
        row.kind == "interrupted",
        row.uncached_input,
        row.cached_input,
        row.cache_write,
        row.output,
        row.reasoning,
        row.cost_nano,
        row.saved_nano,
        row.spend_nano or 0,
    )


def _adapted(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """The two times of a key as this database's driver takes them."""
    environment, hour, statement, *rest = key
    ops = connection.ops
    return environment, ops.adapt_datetimefield_value(hour), ops.adapt_datefield_value(statement), *rest


def _insert(model: type[models.Model], rows: Sequence[models.Model]) -> None:
    """One prepared statement for all rows: the ORM's bulk_create builds a statement of every value."""
    fields = [field for field in model._meta.local_concrete_fields if not field.primary_key]
    names = ", ".join(f'"{field.column}"' for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f'INSERT INTO "{model._meta.db_table}" ({names}) VALUES ({places})'  # noqa: S608
    # What a text or a whole number is needs no asking, and asking costs a third of everything else.
    asked = [None if isinstance(field, PLAIN) else field for field in fields]
    attributes = attrgetter(*(field.attname for field in fields))
    with connection.cursor() as cursor:
        cursor.executemany(
            statement,
            [
                [
                    value if field is None else field.get_db_prep_save(value, connection)
                    for field, value in zip(asked, attributes(row), strict=True)
                ]
                for row in rows
            ],
        )


def _chunks(values: list[Any]) -> Iterator[list[Any]]:
    for start in range(0, len(values), CHUNK):
        yield values[start : start + CHUNK]
