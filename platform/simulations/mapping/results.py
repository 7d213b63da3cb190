"""What do the runs' reports come to, together? In the shape ``headway simulate --format json`` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coordination.simulator import compare, interval, verdict_of
from coordination.simulator.comparing import FIGURES
from foundation.http import Conflict, FieldError, Malformed, NotFound
from simulations import selectors
from simulations.models import MadeOf, Run, Scenario, Simulation

MICROS = 1_000_000
MOST_COMPARED = 4


def result_of(scenario: Scenario, runs: Sequence[Run]) -> dict[str, Any]:
    """Of runs that are all done, by position."""
    wall = round(sum(run.wall_us for run in runs) / MICROS, 3)
    if scenario.knob:
        tried = [_line(run.value or 0.0, run.report or {}) for run in runs]
        return {"sweep": scenario.knob, "tried": tried, "wall_seconds": wall}
    ours = [run.report or {} for run in runs if run.side == Run.Side.POLICY]
    others = [run.report or {} for run in runs if run.side == Run.Side.AGAINST]
    told = {**ours[0], "wall_seconds": wall, "verdict": verdict_of(ours)}
    if len(ours) > 1:
        told["seeds"] = _spread(ours)
    if others:
        told["against"] = others[0]
        told["difference"] = compare(ours, others)
    return told


def figures_of(report: dict[str, Any]) -> dict[str, float | None]:
    """What is compared between simulations, by name."""
    return {name: figure(report) for name, figure in FIGURES.items()}


def _spread(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Each figure over the seeds: mean, and half the width of its 95 % interval."""
    told: dict[str, Any] = {"count": len(reports)}
    for name, figure in FIGURES.items():
        values = [value for one in reports if (value := figure(one)) is not None]
        if values:
            mean, half = interval(values)
            told[name] = {"mean": round(mean, 6), "plus_minus": None if half is None else round(half, 6)}
    return told


def _line(value: float, report: dict[str, Any]) -> dict[str, Any]:
    """What a sweep shows of one of its runs."""
    return {"value": value, "figures": figures_of(report), "inputs": report["inputs"]["digest"]}


def summary_of(result: dict[str, Any]) -> str:
    """One line for whoever reviews a change: what would have been, and beside it what would have been with
    the other policy."""
    if "tried" in result:
        return f"{result['sweep']}: {len(result['tried'])} values simulated"
    refused = sum(result["refused"].values())
    said = f"{result['completed']:,} of {result['requests']:,} completed, {refused:,} refused"
    said += f", TTFT p95 {_seconds(result['ttft']['p95'])}"
    broken = [gate for gate in result.get("gates", ()) if not gate["holds"]]
    if result.get("verdict") == "fails":
        first = f"{broken[0]['name']}: {broken[0]['says']}" if broken else "under another seed"
        said = f"A gate fails ({first}). {said}"
    elif result.get("verdict") == "holds":
        said = f"Every gate holds. {said}"
    other = result.get("against")
    if other is None:
        return said
    before = sum(other["refused"].values())
    return f"{said} (otherwise {before:,} refused, TTFT p95 {_seconds(other['ttft']['p95'])})"


def figures_in_words(figures: Mapping[str, float | None]) -> str:
    """The few of what is compared that speak for or against a value."""
    refused, cached = figures.get("refused"), figures.get("cache.token_hit")
    said = [f"TTFT p90 {_seconds(figures.get('ttft.p90'))}", f"p99 {_seconds(figures.get('ttft.p99'))}"]
    if refused is not None:
        said.append(f"{refused:,.0f} refused")
    if cached is not None:
        said.append(f"{cached:.1%} cached")
    return ", ".join(said)


MORE_IS_BETTER = frozenset({"completed", "cache.token_hit"})


def better_and_worse(result: Mapping[str, Any]) -> tuple[int, int] | None:
    """How many figures the policy has better than the other, and how many worse; None if there is no other.
    What could be chance over the seeds counts as neither."""
    if "difference" not in result:
        return None
    counts = [0, 0]
    for name, one in result["difference"].items():
        if one["difference"] and one["certain"] is not False:
            # The other's minus this one's.
            counts[(one["difference"] > 0) == (name in MORE_IS_BETTER)] += 1
    return counts[0], counts[1]


def _seconds(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


# -- side by side ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Column:
    """One simulation among those compared."""

    simulation: Simulation
    figures: dict[str, float | None]
    made_of: tuple[MadeOf, ...] = ()
    """What its replicas are, where it is not what their pools say."""


@dataclass(frozen=True, slots=True)
class SideBySide:
    columns: tuple[Column, ...]
    same_arrivals: bool
    """Whether every one of them met the same requests at the same instants."""

    def as_json(self) -> dict[str, Any]:
        return {
            "same_arrivals": self.same_arrivals,
            "items": [
                {
                    "id": one.simulation.pk,
                    "policy": one.simulation.scenario.policy_label,
                    "trace": one.simulation.scenario.trace.name,
                    "profiles": [
                        {"pool": each.pool, "name": each.profile.name, "digest": each.profile.digest}
                        for each in one.made_of
                    ],
                    "figures": one.figures,
                }
                for one in self.columns
            ],
        }


def compared(environment: str, numbers: Sequence[str]) -> SideBySide:
    """Raises ``Malformed``, ``NotFound``, ``Conflict`` (``not_comparable``)."""
    wanted = [int(each) for each in numbers if each.isascii() and each.isdigit() and len(each) < 19]
    if (
        len(wanted) != len(numbers)
        or len(set(wanted)) != len(wanted)
        or not 2 <= len(wanted) <= MOST_COMPARED
    ):
        says = f"2 to {MOST_COMPARED} numbers of simulations, each once"
        error = FieldError("/of", "malformed", says)
        raise Malformed("malformed_query", f"`of` will not do: {says}.", errors=[error])
    columns = []
    for number in wanted:
        found = selectors.simulation(environment, number)
        if found is None:
            name = str(number)
            raise NotFound(
                "not_found", f"`{environment}` has no simulation {name}.", kind="Simulation", name=name
            )
        if found.result is None or "tried" in found.result:
            raise Conflict(
                "not_comparable",
                f"Simulation {number} is not done, or is a sweep.",
                kind="Simulation",
                name=str(number),
            )
        columns.append(Column(found, figures_of(found.result), tuple(selectors.made_of(found.scenario))))
    return SideBySide(tuple(columns), len({_arrivals(one.simulation) for one in columns}) == 1)


def _arrivals(simulation: Simulation) -> str:
    inputs = (simulation.result or {})["inputs"]
    return repr([inputs[name] for name in ("trace", "limit", "mix", "model", "speed", "seed")])
