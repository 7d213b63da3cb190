"""How does a figure of a decision read? In the unit that its name tells, as people write it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from coordination.program.records import MILLION, Micros, Ppm

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
INSTANTS: Final = frozenset({"start", "end", "expires"})
COSTS: Final = frozenset({"cost", "cost_ahead"})
"""Fairness cost, in millionths of an uncached input token (R5)."""
SHARES: Final = frozenset({"point", "arms"})
"""Where a request falls among the arms of a route, and where each ends: of 2**64 (R4)."""
ENDINGS: Final = ("_us", "_ppm", "_nano")


def duration(micros: Micros) -> str:
    """``850 µs``, ``12.4 ms``, ``1.25 s``."""
    if abs(micros) < 1000:
        return f"{micros} µs"
    return f"{micros / 1000:.1f} ms" if abs(micros) < MILLION else f"{micros / MILLION:.2f} s"


def percent(part: Ppm) -> str:
    """``12.5 %``, ``0.0001 %``: no digit that says nothing."""
    return f"{part / 10_000:.4f}".rstrip("0").rstrip(".") + " %"


def named(name: str) -> str:
    """A figure's name without its unit, in words."""
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return name.replace("_", " ")


def figure(name: str, value: Any) -> str:
    """What a line of a decision knows by this name, in words; whatever is no figure as it is."""
    if value is None:
        return "open" if name == "end" else "none"
    if isinstance(value, list | tuple):
        return ", ".join(figure(name, one) for one in value)
    if not isinstance(value, int) or isinstance(value, bool):
        return str(value)
    if name.endswith("_us"):
        return duration(value)
    if name.endswith("_ppm"):
        return percent(value)
    if name.endswith("_nano"):
        return f"{value / 1000 / MILLION:.9f}".rstrip("0").rstrip(".")
    if name in INSTANTS:
        return f"{EPOCH + timedelta(microseconds=value):%-d %b %Y, %H:%M:%S} UTC"
    if name in SHARES:
        return f"{100 * value / 2**64:.4g} %"
    if name in COSTS:
        return f"{value // MILLION:,} tokens"
    return f"{value:,}"
