"""What is read of a profile: how fast such a replica is, and how well that fits what was measured?"""

from __future__ import annotations

from dataclasses import dataclass

from console.mapping.simulated import written
from coordination.calibration.coefficients import MEANS
from coordination.capacity import CHUNK_TOKENS, Profile, step_time
from coordination.capacity.profile_file import read_profile
from simulations.mapping.fits import Fit, fit_of

MICROS = 1_000_000
CONTEXT = 2048
"""Tokens behind each sequence of the steps that are shown."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A profile's page."""

    profile: Profile
    steps: tuple[tuple[str, str], ...]
    fit: Fit | None
    """None where the file says nothing of it, or nothing that is understood."""
    coefficients: tuple[tuple[str, str, str, str], ...]
    """(name, what it means, factor, 95 %)."""
    errors: tuple[tuple[str, str, str, str, str], ...]
    """(what and which part, count, median, p95, bias)."""
    replayed: tuple[tuple[str, str, str, str], ...]
    """(what, recorded, the profile's, off)."""


def shown(body: bytes) -> Shown:
    """Of a file that was read before."""
    profile = read_profile(body)
    fit = fit_of(body)
    if fit is None:
        return Shown(profile, _steps(profile), None, (), (), ())
    return Shown(profile, _steps(profile), fit, _coefficients(fit), _errors(fit), _replayed(fit))


def field_of(pointer: str) -> str:
    """``layers`` for ``/profile/layers``: what a fault is told by."""
    return pointer.removeprefix("/profile/").removeprefix("/")


def _steps(profile: Profile) -> tuple[tuple[str, str], ...]:
    many = min(32, profile.max_sequences)
    alone = step_time(profile, decodes=1, decode_context=CONTEXT)
    batch = step_time(profile, decodes=many, decode_context=many * CONTEXT)
    prefill = step_time(profile, [(CHUNK_TOKENS, 0)])
    return (
        ("A token, one sequence", _time(alone)),
        (f"A token, {many} sequences", _time(batch)),
        (f"Output, {many} sequences", f"{many / batch:,.0f} tokens/s"),
        (f"Prefill of {CHUNK_TOKENS:,} tokens", _time(prefill)),
        ("Input, nothing else to do", f"{CHUNK_TOKENS / prefill:,.0f} tokens/s"),
    )


def _coefficients(fit: Fit) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (
            name,
            MEANS.get(name, ""),
            f"{one.factor:.3f}",
            "as it was" if one.plus_minus is None else f"± {_percent(one.plus_minus)}",
        )
        for name, one in fit.coefficients.items()
    )


def _errors(fit: Fit) -> tuple[tuple[str, str, str, str, str], ...]:
    rows = []
    for part, by_name in fit.errors.items():
        for name, both in by_name.items():
            after = both.get("after")
            if after is not None:
                figures = (_percent(after.median), _percent(after.p95), _percent(after.bias, "+"))
                rows.append((f"{name}, {part.replace('_', ' ')}", f"{after.count:,}", *figures))
    return tuple(rows)


def _replayed(fit: Fit) -> tuple[tuple[str, str, str, str], ...]:
    return tuple(
        (
            f"{name} {at}",
            _time(one.recorded),
            _time(one.profile),
            _percent(one.profile / one.recorded - 1, "+") if one.recorded else "–",
        )
        for name, by in fit.replayed.items()
        for at, one in by.items()
    )


def _time(seconds: float) -> str:
    return written("µs", seconds * MICROS)


def _percent(fraction: float, sign: str = "") -> str:
    """Never minus nought."""
    return f"{round(fraction * 100, 1) + 0.0:{sign}.1f} %"
