"""The app's sweeps."""

from __future__ import annotations

import time

from celery import shared_task

from telemetry.decisions.sweep import sweep


@shared_task(name="telemetry.sweep_decisions")
def sweep_decisions() -> int:
    """Forget explanations past their time; returns how many rows went."""
    return sweep(time.time_ns() // 1000)
