"""Objective: what a tier promises of its requests, in numbers that can be measured."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Annotated, Any

from coordination.spec.declaration import Block
from coordination.spec.finding import Finding
from coordination.spec.notation import Choice, Count, Duration, Notation, Percentile, Schema, Share
from coordination.spec.plain import Path, Plain
from coordination.spec.quantities import (
    LARGEST,
    MILLION,
    read_duration,
    read_ppm,
    write_duration,
    write_percent,
)
from coordination.spec.rules import SPEC007_unit, SPEC016_contradiction

DAY = 86_400 * MILLION


TIMES = ("ttft", "itl", "tpot", "e2e", "deadline")
SHARES = ("availability",)
USUAL_PERCENTILE = 95 * MILLION
"""Of an objective that names none."""


class Within(Notation):
    """A duration, or a share of requests: ``400ms``, ``99.9%``."""

    unit = "time or %, by `metric`"
    by = "metric"

    def __init__(self, times: Iterable[str], shares: Iterable[str]) -> None:
        """Metrics that are times, and that are shares."""
        self.cases = MappingProxyType(
            {**dict.fromkeys(times, Duration("1us")), **dict.fromkeys(shares, Share())}
        )

    def parse(self, value: Plain) -> Bound:
        if isinstance(value, str) and value.strip().endswith("%"):
            return Bound(share=read_ppm(value, 0, MILLION))
        return Bound(time=read_duration(value, 1, 366 * DAY))

    def write(self, value: Bound) -> Plain:
        return write_percent(value.share) if value.share is not None else write_duration(value.time or 0)

    def schema(self) -> Schema:
        return {"type": ["string", "number"], "x-unit": self.unit}

    def says(self) -> str:
        return "a duration such as `400ms`, or a share such as `99.9%`"


class Bound(Block, frozen=True, kw_only=True):
    """One of the two."""

    time: Annotated[int | None, Count("us"), "Microseconds."] = None
    share: Annotated[int | None, Count("ppm", 0, LARGEST), "Parts per million."] = None


class Length(Block, frozen=True, kw_only=True):
    """A range of uncached prompt lengths: ``min <= n <= max``."""

    min: Annotated[int, Count("tokens"), "Least length it is promised for."] = 0
    max: Annotated[int | None, Count("tokens", 1), "Greatest length it is promised for."] = None

    @property
    def says(self) -> str:
        """With its unit: ``up to 8,000 uncached input tokens``."""
        if self.max is None:
            return f"{self.min:,} uncached input tokens or more"
        return f"{f'{self.min:,}' if self.min else 'up'} to {self.max:,} uncached input tokens"

    def covers(self, uncached: int) -> bool:
        return self.min <= uncached and (self.max is None or uncached <= self.max)

    def overlaps(self, other: Length) -> bool:
        """Whether some length is in both."""
        least = max(self.min, other.min)
        return all(one.max is None or least <= one.max for one in (self, other))


class Objective(Block, frozen=True, kw_only=True):
    """A promise: so much of the requests within such a time, or answered at all."""

    metric: Annotated[
        str,
        Choice("ttft", "itl", "tpot", "e2e", "availability", "deadline"),
        "Time to the first token, between two tokens, per token, to the last token; "
        "share answered; time until done, for requests that name no deadline of their own.",
    ]
    percentile: Annotated[
        int | None, Percentile(), "Of how many requests in a hundred it holds; 95 when absent."
    ] = None
    target: Annotated[Bound, Within(TIMES, SHARES), "The time, or for availability the share."]
    uncached_input: Annotated[
        Length | None, "Only for requests with so many prompt tokens to compute; all when absent."
    ] = None

    @property
    def name(self) -> str:
        """What tells it from the others of its tier: ``ttft p95 for up to 8,000 uncached input tokens``."""
        if self.metric in SHARES:
            return self.metric
        of = "" if self.uncached_input is None else f" for {self.uncached_input.says}"
        return f"{self.metric} p{(self.percentile or USUAL_PERCENTILE) / MILLION:g}{of}"

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        metric, target = values["metric"], values["target"]
        if metric != "availability":
            if target.time is None:
                misread = SPEC007_unit.wrong(write_percent(target.share), "time", "400ms")
                found.append(Finding(misread, (path, "target")))
            return
        if target.share is None:
            misread = SPEC007_unit.wrong(write_duration(target.time), "percent", "99.9%")
            found.append(Finding(misread, (path, "target")))
        for name in ("percentile", "uncached_input"):
            if values.get(name) is not None:
                misread = SPEC016_contradiction.between(
                    name, "metric: availability", "It speaks of all requests, and of no time."
                )
                found.append(Finding(misread, (path, name)))
