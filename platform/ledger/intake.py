"""``POST /api/v1/gateways/{id}/usage``: what a gateway is answered once its usage is on our disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coordination.wire.usage import decode
from ledger import periods
from ledger.mapping import Origin
from ledger.recorder import Recorder


class UsageIntake:
    """Batches in, receipts out after the commit."""

    def __init__(self, recorder: Recorder, now_us: Callable[[], int]) -> None:
        self._recorder = recorder
        self._now_us = now_us

    async def __call__(self, gateway: str, environment: str, body: bytes) -> dict[str, Any]:
        """Raises ``msgspec.DecodeError`` for what is no batch; anything else says that it was not entered."""
        batch, received = decode(body), self._now_us()
        origin = Origin(
            environment=environment,
            gateway=gateway,
            received_us=received,
            skew_us=periods.skew(batch.sent_at, received),
        )
        receipt = await asyncio.wrap_future(self._recorder.submit(origin, batch.events))
        return {
            "accepted": receipt.accepted,
            "duplicates": receipt.duplicates,
            "quarantined": receipt.quarantined,
        }
