"""Which hub runs in this process, if one does? Request threads ask it for the last quarter hour."""

from __future__ import annotations

from telemetry.live.hub import Hub

_hub: Hub | None = None


def set_hub(hub: Hub | None) -> None:
    global _hub
    _hub = hub


def hub() -> Hub | None:
    return _hub
