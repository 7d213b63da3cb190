"""How are batches and minutes written and read in bulk? One statement for many rows, on either database."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from coordination.wire.telemetry import Batch, decode_batch, encode
from telemetry.models.series import (
    COUNTS,
    KEY,
    SKETCHES,
    DirtyMinute,
    GatewayBatch,
    QueueMinute,
    SeriesMinute,
)
from telemetry.series.tally import Tally

CHUNK = 400


@dataclass(frozen=True, slots=True)
class Placed:
    """A batch, whose it is, and the second of our clock it tells of."""

    environment: str
    gateway: str
    second: int
    batch: Batch


def keep(placed: Sequence[Placed]) -> None:
    """Enter batches; those that were entered before change nothing. In a transaction."""
    GatewayBatch.objects.bulk_create(
        [
            GatewayBatch(
                environment=each.environment,
                gateway=each.gateway,
                boot=each.batch.boot_id,
                seq=each.batch.seq,
                second=each.second,
                body=zlib.compress(encode(each.batch), 1),
            )
            for each in placed
        ],
        ignore_conflicts=True,
        batch_size=CHUNK,
    )
    minutes = sorted({(each.environment, each.second // 60) for each in placed})
    DirtyMinute.objects.bulk_create(
        [DirtyMinute(environment=environment, minute=minute, touched=0) for environment, minute in minutes],
        update_conflicts=True,
        unique_fields=["environment", "minute"],
        update_fields=["touched"],
    )


def batches(environment: str, since: int, until: int) -> Iterator[Placed]:
    """Of the seconds [since, until), in order."""
    rows = GatewayBatch.objects.filter(environment=environment, second__gte=since, second__lt=until)
    for gateway, second, body in rows.order_by("second").values_list("gateway", "second", "body").iterator():
        yield Placed(environment, gateway, second, decode_batch(zlib.decompress(bytes(body))))


def replace_minute(
    environment: str,
    minute: int,
    tallies: dict[tuple[str, str, str, str], Tally],
    queues: dict[tuple[str, int], list[tuple[int, int]]],
) -> None:
    """The rows of one minute, made of all its batches. In a transaction.

    ``tallies``: by (tenant, tier, model, pool). ``queues``: by (pool, band), depth and longest wait of
    each second.
    """
    SeriesMinute.objects.filter(environment=environment, minute=minute).delete()
    SeriesMinute.objects.bulk_create(
        [
            SeriesMinute(
                **dict(zip(KEY, (environment, minute, *key), strict=True)),
                **tally.counts,
                refused=tally.refused,
                objectives=tally.objectives,
                **{
                    name: sketch.to_bytes() if sketch.count else b""
                    for name, sketch in tally.sketches.items()
                },
            )
            for key, tally in sorted(tallies.items())
        ],
        batch_size=CHUNK,
    )
    QueueMinute.objects.filter(environment=environment, minute=minute).delete()
    QueueMinute.objects.bulk_create(
        [
            QueueMinute(
                environment=environment,
                minute=minute,
                pool=pool,
                band=band,
                most=max(depth for depth, _ in seen),
                total=sum(depth for depth, _ in seen),
                seconds=len(seen),
                oldest_us=max(oldest for _, oldest in seen),
            )
            for (pool, band), seen in sorted(queues.items())
        ],
        batch_size=CHUNK,
    )


def minutes(
    environment: str, since: int, until: int, *, tenants: Iterable[str] | None = None
) -> Iterator[SeriesMinute]:
    """The rows of minutes [since, until), in order; of these tenants and all below them."""
    rows = SeriesMinute.objects.filter(environment=environment, minute__gte=since, minute__lt=until)
    if tenants is not None:
        wanted = SeriesMinute.objects.none()
        for tenant in tenants:
            wanted = wanted | rows.filter(tenant=tenant) | rows.filter(tenant__startswith=f"{tenant}/")
        rows = wanted
    return rows.order_by("minute").iterator(chunk_size=2000)


def tally_of(row: SeriesMinute, sketches: Iterable[str] = SKETCHES) -> Tally:
    tally = Tally()
    for name in COUNTS:
        tally.counts[name] = getattr(row, name)
    tally.refused = dict(row.refused)
    tally.objectives = {key: (kept, given) for key, (kept, given) in row.objectives.items()}
    for name in sketches:
        if data := bytes(getattr(row, name)):
            tally.sketches[name] = tally.sketches[name].from_bytes(data)
    return tally


def prune(now: int, *, batches_for: int, minutes_for: int) -> int:
    """Forget batches older than ``batches_for`` seconds and rows older than ``minutes_for`` minutes."""
    gone = _delete(GatewayBatch, "second", now - batches_for)
    gone += _delete(SeriesMinute, "minute", now // 60 - minutes_for)
    return gone + _delete(QueueMinute, "minute", now // 60 - minutes_for)


def _delete(model: type[GatewayBatch | SeriesMinute | QueueMinute], column: str, before: int) -> int:
    """Without reading the rows."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Names are this module's own constants; the value is a parameter.
        cursor.execute(f'DELETE FROM "{model._meta.db_table}" WHERE "{column}" < %s', [before])  # noqa: S608
        return int(cursor.rowcount)
