"""How long did a tenant's own requests take lately, by tier? Out of merged sketches, never of averages."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import Q
from django.utils import timezone

from coordination.sketch import Sketch
from telemetry.models.series import SeriesMinute

MINUTES = 60


@dataclass(slots=True)
class TierSeen:
    """One tier's last hour for one tenant. Percentiles are None while nothing was measured."""

    tier: str
    requests: int = 0
    completed: int = 0
    failed: int = 0
    refused: int = 0
    reserved: int = 0
    spilled: int = 0
    _ttft: Sketch = field(default_factory=Sketch)
    _itl: Sketch = field(default_factory=Sketch)
    _queue: Sketch = field(default_factory=Sketch)

    def add(self, row: SeriesMinute) -> None:
        self.requests += row.requests
        self.completed += row.completed
        self.failed += row.failed
        self.refused += sum(row.refused.values())
        self.reserved += row.reserved
        self.spilled += row.spilled
        for kept, data in ((self._ttft, row.ttft), (self._itl, row.itl), (self._queue, row.queue)):
            if data:
                kept.merge(Sketch.from_bytes(bytes(data)))

    @property
    def ttft_p50(self) -> int | None:
        return _us(self._ttft, 50)

    @property
    def ttft_p95(self) -> int | None:
        return _us(self._ttft, 95)

    @property
    def itl_p95(self) -> int | None:
        return _us(self._itl, 95)

    @property
    def wait_p95(self) -> int | None:
        return _us(self._queue, 95)


def last_hour(environment: str, tenant: str) -> dict[str, TierSeen]:
    """Tier -> what ``tenant`` and all below it saw in the last 60 minutes."""
    now = int(timezone.now().timestamp()) // 60
    rows = SeriesMinute.objects.filter(
        Q(tenant=tenant) | Q(tenant__startswith=f"{tenant}/"),
        environment=environment,
        minute__gt=now - MINUTES,
    )
    found: dict[str, TierSeen] = {}
    for row in rows.order_by().iterator(chunk_size=500):
        if row.tier not in found:
            found[row.tier] = TierSeen(row.tier)
        found[row.tier].add(row)
    return found


def _us(sketch: Sketch, percent: float) -> int | None:
    value = sketch.percentile(percent)
    return None if value is None else round(value)
