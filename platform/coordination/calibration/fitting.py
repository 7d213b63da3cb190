"""Which factors of the coefficients make the model say what was measured?

Errors are relative (the logarithm of expected over measured), so a first token of 20 s weighs no more than
a step of 20 ms. Factors are fitted as logarithms, so none becomes negative. Gauss-Newton with Levenberg's
damping, Huber's weights against outliers, and a prior: each factor is 1 to within a factor of about 2, unless
the measurements say otherwise. A coefficient they cannot tell (its standard deviation stays above
``KNOWN``) goes back to exactly 1, the least known first, and the others are fitted again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, sqrt
from statistics import median
from typing import Final

PRIOR_SD: Final = 0.7
"""Of the logarithm of a factor."""
KNOWN: Final = 0.15
"""Standard deviation (of the logarithm) up to which a coefficient counts as measured."""
FARTHEST: Final = 4.0
"""Logarithm of the largest factor tried: 55 times as slow, or as fast."""
HUBER: Final = 1.5
"""Standard deviations beyond which an error counts linearly."""
LEAST_SIGMA: Final = 0.002
ROUNDS: Final = 25
NUDGE: Final = 1e-4
"""Change of a logarithm that slopes are taken over."""
SCALES: Final = tuple(step / 4 for step in range(-8, 9))

Expect = Callable[[Sequence[float]], list[float]]
"""Logarithms of factors -> expected times."""


@dataclass(frozen=True, slots=True)
class Fit:
    """Logarithms of factors, in the order they were given."""

    factors: tuple[float, ...]
    spread: tuple[float | None, ...]
    """Standard deviation of each; None of one that stayed at its prior."""
    sigma: float
    """Of the errors that are left."""


def fit(
    expect: Expect, measured: Sequence[float], parameters: int, *, common: int, noise_known: float
) -> Fit:
    """``common``: how many of the first parameters may be off by one common factor (a fit of an accelerator
    half as fast starts there). ``noise_known``: the least relative error that is believed. Raises
    ``ValueError`` without measurements.
    """
    if not measured:
        raise ValueError("nothing was measured")
    target = [log(value) for value in measured]

    def errors(at: Sequence[float]) -> list[float]:
        return [log(one) - goal for one, goal in zip(expect(at), target, strict=True)]

    start = min(
        ([scale] * common + [0.0] * (parameters - common) for scale in SCALES),
        key=lambda at: _mean_absolute(errors(at)),
    )
    free = list(range(parameters))
    at = start
    while True:
        at = [at[n] if n in free else 0.0 for n in range(parameters)]
        at, spread, sigma = _descend(errors, at, free, noise_known)
        unknown = [n for n in free if spread[n] > KNOWN]
        if not unknown or not free:
            break
        free.remove(max(unknown, key=lambda n: spread[n]))
        if not free:
            at = [0.0] * parameters
            sigma = _sigma(errors(at), noise_known)
            break
    known = tuple(spread[n] if n in free else None for n in range(parameters))
    return Fit(tuple(at), known, sigma)


def _descend(
    errors: Callable[[Sequence[float]], list[float]],
    at: list[float],
    free: list[int],
    noise_known: float,
) -> tuple[list[float], dict[int, float], float]:
    """To the least; the spread of each free parameter there."""
    damping = 1e-3
    found = errors(at)
    matrix: list[list[float]] = []
    sigma = noise_known
    for _ in range(ROUNDS):
        sigma = _sigma(found, noise_known)
        slopes = [_slope(errors, at, found, n) for n in free]
        weights = [1.0 if abs(e) <= HUBER * sigma else HUBER * sigma / abs(e) for e in found]
        scale = 1.0 / (sigma * sigma)
        matrix = [
            [scale * sum(w * a * b for w, a, b in zip(weights, one, other, strict=True)) for other in slopes]
            for one in slopes
        ]
        goal = [
            -scale * sum(w * a * e for w, a, e in zip(weights, one, found, strict=True)) - at[n] / PRIOR_SD**2
            for n, one in zip(free, slopes, strict=True)
        ]
        for n in range(len(free)):
            matrix[n][n] += 1.0 / PRIOR_SD**2
        before = _loss(found, at, free, sigma)
        moved = 0.0
        for _ in range(8):
            damped = [
                [value * (1.0 + damping) if row == column else value for column, value in enumerate(values)]
                for row, values in enumerate(matrix)
            ]
            step = _solve(damped, goal)
            trial = list(at)
            for n, change in zip(free, step, strict=True):
                trial[n] = max(-FARTHEST, min(FARTHEST, at[n] + max(-1.0, min(1.0, change))))
            tried = errors(trial)
            if _loss(tried, trial, free, sigma) < before:
                moved = max(abs(a - b) for a, b in zip(trial, at, strict=True))
                at, found = trial, tried
                damping = max(1e-6, damping / 5)
                break
            damping *= 6
        if moved < 1e-3:
            break
    variance = [_solve(matrix, [float(n == m) for m in range(len(free))])[n] for n in range(len(free))]
    return at, {n: sqrt(max(0.0, v)) for n, v in zip(free, variance, strict=True)}, sigma


def _slope(
    errors: Callable[[Sequence[float]], list[float]],
    at: list[float],
    found: list[float],
    parameter: int,
) -> list[float]:
    there = list(at)
    there[parameter] += NUDGE
    return [(b - a) / NUDGE for a, b in zip(found, errors(there), strict=True)]


def _loss(errors: list[float], at: Sequence[float], free: list[int], sigma: float) -> float:
    total = sum((at[n] / PRIOR_SD) ** 2 for n in free) / 2
    for error in errors:
        size = abs(error) / sigma
        total += size * size / 2 if size <= HUBER else HUBER * (size - HUBER / 2)
    return total


def _sigma(errors: list[float], least: float) -> float:
    """Robust: the median absolute error, scaled as for a normal one."""
    return max(least, LEAST_SIGMA, 1.4826 * median(abs(one) for one in errors))


def _mean_absolute(errors: list[float]) -> float:
    return sum(min(3.0, abs(one)) for one in errors) / len(errors)


def _solve(matrix: list[list[float]], goal: list[float]) -> list[float]:
    """Gauss's elimination with pivots; the matrix is positive definite and small."""
    size = len(goal)
    rows = [[*values, right] for values, right in zip(matrix, goal, strict=True)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda row: abs(rows[row][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        lead = rows[column][column]
        for row in range(column + 1, size):
            factor = rows[row][column] / lead
            if factor:
                for place in range(column, size + 1):
                    rows[row][place] -= factor * rows[column][place]
    found = [0.0] * size
    for row in range(size - 1, -1, -1):
        known = sum(rows[row][place] * found[place] for place in range(row + 1, size))
        found[row] = (rows[row][size] - known) / rows[row][row]
    return found
