"""What is kept of what gateways tell? Their batches for a while, and series for long."""

from __future__ import annotations

from telemetry.models.series import DirtyMinute, GatewayBatch, QueueMinute, SeriesMinute

__all__ = ["DirtyMinute", "GatewayBatch", "QueueMinute", "SeriesMinute"]
