"""What was measured, and what would a profile have made of it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from coordination.capacity import StepModel


class EvidenceError(ValueError):
    """Measurements that cannot be read, or that say nothing; the message names file and line."""

    def __init__(self, file: str, line: int, message: str) -> None:
        where = f"{file}:{line}" if line else file
        super().__init__(f"{where}: {message}" if where else message)


@dataclass(frozen=True, slots=True)
class Seen:
    """How far the measurements reach; beyond it a profile extrapolates."""

    sequences: int
    """Decodes in one step, at most."""
    prefill_tokens: int
    """Prompt tokens computed in one step, at most."""
    context: int
    """Tokens of context that one sequence attended to, at most."""


class Evidence(Protocol):
    """Measured times, in seconds, and their counterparts under any step model."""

    @property
    def source(self) -> str:
        """What kind of measurements these are."""

    @property
    def measured(self) -> Sequence[float]:
        """Each above zero."""

    @property
    def names(self) -> Sequence[str]:
        """Of each measured time: what it is (``step``, ``prefill``, ``itl``)."""

    @property
    def held_out(self) -> Sequence[bool]:
        """Of each: whether it is kept from the fit, to judge it."""

    @property
    def seen(self) -> Seen: ...

    @property
    def notes(self) -> Sequence[str]:
        """What was left out, and why."""

    @property
    def extra(self) -> tuple[str, float] | None:
        """One more unknown that is no part of a profile: its name, and what it usually is."""

    def replayed(self, model: StepModel, extra: float) -> dict[str, tuple[list[float], list[float]]]:
        """Measure -> times recorded, and those of a replay that knows only what was sent; both sorted. Empty
        where there is nothing to replay."""

    def expected(self, model: StepModel, extra: float) -> list[float]:
        """The same times under ``model``; ``extra`` is the further unknown, 0 where there is none."""
