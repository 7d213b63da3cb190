"""Is B better than A, and how sure is that? The same arrivals under both, paired seed by seed.

Common random numbers: a seed draws the same clients and the same arrivals for both policies, so the noise
of the draw is in both figures and leaves with their difference. The interval is Student's, over seeds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any, Final

# Two-sided 95 % points of Student's t by degrees of freedom; beyond the table, the normal distribution's.
_T95: Final = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
_NORMAL: Final = 1.960

FIGURES: Final[dict[str, Callable[[dict[str, Any]], float | None]]] = {
    "completed": lambda one: one["completed"],
    "refused": lambda one: sum(one["refused"].values()),
    "ttft.mean": lambda one: one["ttft"]["mean"],
    "ttft.p50": lambda one: one["ttft"]["p50"],
    "ttft.p90": lambda one: one["ttft"]["p90"],
    "ttft.p99": lambda one: one["ttft"]["p99"],
    "itl.mean": lambda one: one["itl"]["mean"],
    "itl.p99": lambda one: one["itl"]["p99"],
    "e2e.mean": lambda one: one["e2e"]["mean"],
    "queue.p99": lambda one: one["queue"]["p99"],
    "cache.token_hit": lambda one: one["cache"]["token_hit"],
    "imbalance.computed": lambda one: one["imbalance"]["computed"],
}
"""What is compared, and where a report has it."""


def interval(values: Sequence[float]) -> tuple[float, float | None]:
    """Mean of independent values and half the width of its 95 % interval; None for a single value."""
    mean = fmean(values)
    if len(values) < 2:
        return mean, None
    degrees = len(values) - 1
    t = _T95[degrees - 1] if degrees <= len(_T95) else _NORMAL
    return mean, t * stdev(values) / sqrt(len(values))


def compare(ours: Sequence[dict[str, Any]], others: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """For each figure: A, B, B - A with its interval, and whether the interval leaves zero out.

    ``ours[i]`` and ``others[i]`` are reports of the same arrivals. With one seed there is no interval
    and no verdict.
    """
    told: dict[str, Any] = {}
    for name, figure in FIGURES.items():
        pairs = [(figure(a), figure(b)) for a, b in zip(ours, others, strict=True)]
        known = [(a, b) for a, b in pairs if a is not None and b is not None]
        if not known:
            continue
        difference, half = interval([b - a for a, b in known])
        told[name] = {
            "a": round(fmean(a for a, _ in known), 6),
            "b": round(fmean(b for _, b in known), 6),
            "difference": round(difference, 6),
            "plus_minus": None if half is None else round(half, 6),
            "certain": None if half is None else abs(difference) > half,
        }
    return told
