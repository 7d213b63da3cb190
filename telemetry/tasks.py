"""The app's sweeps."""

from __future__ import annotations

import time

from celery import shared_task

from telemetry.decisions.sweep import sweep
from telemetry.series import rollup, store

BATCHES_FOR = 70 * 60
"""Seconds: twice what a gateway may be late, so that a minute can be made anew of all it had."""
MINUTES_FOR = 30 * 24 * 60
"""Minutes."""


@shared_task(name="telemetry.sweep_decisions")
def sweep_decisions() -> int:
    """Forget explanations past their time; returns how many rows went."""
    return sweep(time.time_ns() // 1000)


@shared_task(name="telemetry.roll_up")
def roll_up() -> int:
    """Add up the minutes that are over or were touched again; returns how many."""
    return rollup.roll_up(int(time.time()))


@shared_task(name="telemetry.prune")
def prune() -> int:
    """Forget batches and minutes past their time; returns how many rows went."""
    return store.prune(int(time.time()), batches_for=BATCHES_FOR, minutes_for=MINUTES_FOR)
