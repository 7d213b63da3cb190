"""What does a profile's file say of how well it fits? As ``headway calibrate`` writes it, or nothing."""

from __future__ import annotations

from typing import Any

import msgspec


class Coefficient(msgspec.Struct, frozen=True):
    """Of the step formula: times what it was, and half its 95 % interval; None if it could not be told."""

    factor: float
    plus_minus: float | None = None


class Errors(msgspec.Struct, frozen=True):
    """Relative; ``bias`` above zero: the profile is too slow."""

    count: int
    median: float
    p95: float
    bias: float
    r2: float | None = None


class Replayed(msgspec.Struct, frozen=True):
    """Seconds."""

    recorded: float
    profile: float


class Fit(msgspec.Struct, frozen=True, kw_only=True):
    """``errors`` and ``replayed`` by part or time, then by name; errors then ``before`` and ``after``."""

    source: str
    like: str
    coefficients: dict[str, Coefficient]
    errors: dict[str, dict[str, dict[str, Errors]]]
    replayed: dict[str, dict[str, Replayed]] = {}
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def fit_of(body: bytes) -> Fit | None:
    """Of a file that was read as a profile. Anybody may write one: what is not understood is not shown."""
    whole: dict[str, Any] = msgspec.json.decode(body)
    try:
        return msgspec.convert(whole.get("fit"), Fit)
    except msgspec.ValidationError:
        return None
