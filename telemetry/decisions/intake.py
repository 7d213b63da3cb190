"""``POST /api/v1/gateways/{id}/decisions``: what a gateway is answered once its explanations are kept."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from coordination.wire.decisions import Batch, decode
from foundation.writer import Writer
from telemetry.decisions.services import record
from telemetry.live.messages import Happened

MOST_SHOWN = 100
"""Of one batch, the newest: more than anybody reads in a second."""


class DecisionsIntake:
    """Explanations in, a receipt out after the commit."""

    def __init__(
        self,
        writer: Writer,
        now_us: Callable[[], int],
        show: Callable[[Happened], Awaitable[None]] | None = None,
    ) -> None:
        """``show``: to whoever watches, once they are kept."""
        self._writer = writer
        self._now_us = now_us
        self._show = show

    async def __call__(self, gateway: str, environment: str, body: bytes) -> dict[str, Any]:
        """Raises ``msgspec.DecodeError`` for what is no batch; anything else says that it was not kept."""
        batch, received = decode(body), self._now_us()
        written = self._writer.submit(
            lambda: record(environment=environment, gateway=gateway, batch=batch, received_us=received)
        )
        await asyncio.wrap_future(written)
        if self._show is not None:
            await self._show(_told(environment, batch, received))
        return {"kept": len(batch.decisions)}


def _told(environment: str, batch: Batch, received_us: int) -> Happened:
    """What a list shows of each; who wants more asks by request id."""
    shift = received_us - batch.sent_at
    shown = [
        {
            "request_id": each.request_id,
            "reason": each.reason,
            "at": (each.at + shift) // 1000,
            "tenant": each.tenant,
            "tier": each.tier,
            "model": each.model,
            "code": each.code or "",
        }
        for each in batch.decisions[-MOST_SHOWN:]
    ]
    facts = {"decisions": shown, "left_out": sum(batch.left_out.values()) + len(batch.decisions) - len(shown)}
    return Happened(environment, "decisions", "decided", received_us // 1000, facts)
