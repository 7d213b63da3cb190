"""How does the result move with one number, and how small may the fleet be for a promise to hold?

A knob is one number of a study; ``sweep`` turns it through given values, ``find`` looks for the least
number of replicas under which an objective holds, by doubling and then halving what is left between.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

import msgspec

from coordination.program.records import MILLION, PoolRecord
from coordination.simulator.study import Study

MOST_REPLICAS: Final = 512


class SearchError(Exception):
    """A knob or an objective that makes no sense: the message says what would."""


@dataclass(frozen=True, slots=True)
class Objective:
    """``[tier.]figure.statistic <= bound``, or ``[tier.]refused <= share``."""

    text: str
    tier: str | None
    figure: str
    statistic: str | None
    bound: float
    """Seconds, or a share of the requests."""

    def value(self, report: dict[str, Any]) -> float | None:
        """What the report says; None when nothing was counted."""
        found = report if self.tier is None else report["tiers"].get(self.tier)
        if found is None:
            return None
        if self.statistic is None:
            return sum(found["refused"].values()) / found["requests"] if found["requests"] else None
        value: float | None = found[self.figure][self.statistic]
        return value

    def holds(self, report: dict[str, Any]) -> bool:
        """Nothing counted is a promise not kept: a fleet that refuses everybody is quick."""
        value = self.value(report)
        return value is not None and value <= self.bound


_OBJECTIVE = re.compile(
    r"(?:(?P<tier>[a-z0-9][a-z0-9.-]*?)\.)??"
    r"(?:(?P<figure>ttft|itl|e2e|queue)\.(?P<statistic>mean|p50|p90|p95|p99)\s*<=\s*"
    r"(?P<time>\d+(?:\.\d+)?)\s*(?P<unit>ms|s)|refused\s*<=\s*(?P<share>\d+(?:\.\d+)?)\s*%)"
)


def read_objective(text: str) -> Objective:
    """Raises ``SearchError``."""
    found = _OBJECTIVE.fullmatch(text.strip())
    if found is None:
        raise SearchError(f"{text}: not like `priority.ttft.p95<=2s`, `itl.p99<=80ms` or `refused<=1%`")
    if found["share"] is not None:
        return Objective(text, found["tier"], "refused", None, float(found["share"]) / 100)
    bound = float(found["time"]) / (1000 if found["unit"] == "ms" else 1)
    return Objective(text, found["tier"], found["figure"], found["statistic"], bound)


def turned(study: Study, knob: str, value: float) -> Study:
    """The study with one number changed. Raises ``SearchError`` for a knob or a value there is not."""
    name, _, pool = knob.partition(":")
    turn = KNOBS.get(name)
    if turn is None or (pool and name != "replicas"):
        raise SearchError(f"{knob}: not one of {', '.join(sorted(KNOBS))}, replicas:POOL")
    if pool and pool not in {one.name for one in study.records.pools}:
        raise SearchError(f"{knob}: the policy has no pool {pool}")
    return turn(study, value, pool)


def sweep(study: Study, knob: str, values: list[float]) -> Iterator[Study]:
    """One study for each value."""
    return (turned(study, knob, value) for value in values)


def find(
    study: Study, knob: str, objective: Objective, run: Callable[[Study], dict[str, Any]]
) -> tuple[int | None, list[tuple[int, dict[str, Any]]]]:
    """The least whole number of ``knob`` for which the objective holds, or None up to 512; and every
    report on the way, in order of trying. Takes it that more never hurts."""
    tried: list[tuple[int, dict[str, Any]]] = []

    def holds(number: int) -> bool:
        found = run(turned(study, knob, number))
        tried.append((number, found))
        return objective.holds(found)

    fails, works = 0, 1
    while not holds(works):
        fails, works = works, works * 2
        if works > MOST_REPLICAS:
            return None, tried
    while works - fails > 1:
        middle = (fails + works) // 2
        if holds(middle):
            works = middle
        else:
            fails = middle
    return works, tried


def _replicas(study: Study, value: float, pool: str) -> Study:
    count = _whole("replicas", value, 1, MOST_REPLICAS)
    pools = tuple(
        _of_size(one, count) if not pool or one.name == pool else one for one in study.records.pools
    )
    return replace(study, records=msgspec.structs.replace(study.records, pools=pools))


def _of_size(pool: PoolRecord, count: int) -> PoolRecord:
    """The first ``count`` replicas, and as many more like them as it takes."""
    more = (f"http://{pool.name}-{number}.simulated" for number in range(len(pool.replicas), count))
    return msgspec.structs.replace(pool, replicas=(*pool.replicas[:count], *more))


def _speed(study: Study, value: float, _: str) -> Study:
    if not 0 < value <= 1e6:
        raise SearchError(f"speed={value:g}: not above 0")
    return replace(study, speed=value)


def _host_tokens(study: Study, value: float, _: str) -> Study:
    tokens = _whole("host_tokens", value, 0, 10**12)
    return replace(study, settings=replace(study.settings, host_tokens=tokens))


def _release_after(study: Study, value: float, _: str) -> Study:
    """Seconds, in every route."""
    if not 0 <= value <= 3600:
        raise SearchError(f"release_after={value:g}: not 0 to 3600 seconds")
    routes = tuple(
        msgspec.structs.replace(
            route,
            placement=msgspec.structs.replace(route.placement, release_after=round(value * MILLION)),
        )
        for route in study.records.routes
    )
    return replace(study, records=msgspec.structs.replace(study.records, routes=routes))


def _whole(name: str, value: float, least: int, most: int) -> int:
    if value != int(value) or not least <= value <= most:
        raise SearchError(f"{name}={value:g}: not a whole number from {least} to {most}")
    return int(value)


KNOBS: Final[dict[str, Callable[[Study, float, str], Study]]] = {
    "replicas": _replicas,
    "speed": _speed,
    "host_tokens": _host_tokens,
    "release_after": _release_after,
}
