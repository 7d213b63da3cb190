"""``POST /api/v1/gateways/{id}/telemetry``: shown at once, acknowledged when it is on our disk.

Harmless when repeated: the hub knows a batch by its number, and so does the database.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from coordination.sketch.histogram import MalformedSketch
from coordination.wire.telemetry import Batch, decode, sketch_of
from foundation.writer import Writer
from telemetry.live.messages import Arrived
from telemetry.models.series import SKETCHES
from telemetry.series import store
from telemetry.series.placing import SECOND, Skews, believable, second_of
from telemetry.series.store import Placed


class TelemetryIntake:
    """Shipments in, receipts out after the commit."""

    def __init__(
        self, writer: Writer, show: Callable[[Arrived], Awaitable[None]], now_us: Callable[[], int]
    ) -> None:
        """``show``: to every hub, of this process and of others."""
        self._writer = writer
        self._show = show
        self._now_us = now_us
        self._skews = Skews()

    async def __call__(self, gateway: str, environment: str, body: bytes) -> dict[str, Any]:
        """Raises ``msgspec.DecodeError`` for what is no shipment; anything else: not kept."""
        shipment, now = decode(body), self._now_us()
        correction = self._skews.correction(gateway, now, shipment.sent_at)
        placed: list[Placed] = []
        for batch in shipment.batches:
            _look_through(batch)
            second = second_of(batch.sent_at, batch.interval_us, correction)
            if believable(second, now // SECOND):
                placed.append(Placed(environment, gateway, second, batch))
        if placed:
            batches = tuple((each.second, each.batch) for each in placed)
            await self._show(Arrived(environment, gateway, batches, skew_us=now - shipment.sent_at))
            await asyncio.wrap_future(self._writer.submit(lambda: store.keep(placed)))
        return {"kept": len(placed), "out_of_time": len(shipment.batches) - len(placed)}


def _look_through(batch: Batch) -> None:
    """A sketch is opaque to the decoder; one that cannot be read would spoil every sum it enters."""
    for at, series in enumerate(batch.series):
        for name in SKETCHES:
            if data := getattr(series, name):
                try:
                    sketch_of(data)
                except MalformedSketch as error:
                    raise msgspec.ValidationError(
                        f"batch {batch.seq}: series[{at}].{name}: {error}"
                    ) from None
