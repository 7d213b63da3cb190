"""``POST /api/v1/gateways/{id}/decisions``: what a gateway is answered once its explanations are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from coordination.wire.decisions import decode
from foundation.writer import Writer
from telemetry.decisions.services import record


class DecisionsIntake:
    """Explanations in, a receipt out after the commit."""

    def __init__(self, writer: Writer, now_us: Callable[[], int]) -> None:
        self._writer = writer
        self._now_us = now_us

    async def __call__(self, gateway: str, environment: str, body: bytes) -> dict[str, Any]:
        """Raises ``msgspec.DecodeError`` for what is no batch; anything else says that it was not kept."""
        batch, received = decode(body), self._now_us()
        written = self._writer.submit(
            lambda: record(environment=environment, gateway=gateway, batch=batch, received_us=received)
        )
        await asyncio.wrap_future(written)
        return {"kept": len(batch.decisions)}
