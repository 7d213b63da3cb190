"""What is kept of what gateways tell? Batches and explanations for a while, and series for long."""

from __future__ import annotations

from telemetry.decisions.models import KeptDecision, UnexplainedRefusals
from telemetry.models.series import DirtyMinute, GatewayBatch, QueueMinute, SeriesMinute

__all__ = [
    "DirtyMinute",
    "GatewayBatch",
    "KeptDecision",
    "QueueMinute",
    "SeriesMinute",
    "UnexplainedRefusals",
]
