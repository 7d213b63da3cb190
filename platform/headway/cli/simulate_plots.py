"""Which pictures show a simulation? Plotly's figures as plain data, coloured by whoever draws them.

One policy's series and the other's of the same name have one colour; the other's are dotted, or striped.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import floor, log10
from typing import Any, NamedTuple

Side = tuple[str, dict[str, Any]]
COLOURS = ("#3b7de0", "#d9822b", "#2f9e6e", "#a05bc4", "#d05468", "#5b8a99", "#94853a", "#858b95")
PERCENTILES = ("p50", "p90", "p95", "p99")


class Figure(NamedTuple):
    title: str
    traces: list[dict[str, Any]]
    layout: dict[str, Any]


def plots(sides: Sequence[Side]) -> list[Figure]:
    """Of one report, or of two under the same arrivals."""
    return [
        _percentiles(sides),
        _ttft_over_time(sides),
        _waiting(sides),
        _shares(sides),
        _cache(sides),
        _busy(sides),
        _computed(sides),
    ]


def _percentiles(sides: Sequence[Side]) -> Figure:
    traces = []
    for number, (side, told) in enumerate(sides):
        groups = [("all", told), *((f"tier {name or '-'}", one) for name, one in told["tiers"].items())]
        for at, (name, one) in enumerate(groups):
            label = f"{name}, {side}" if len(sides) > 1 else name
            traces.append(_line(label, PERCENTILES, [one["ttft"][key] for key in PERCENTILES], at, number))
    return Figure("Time to first token, by tier", *_timed(traces, log=True))


def _ttft_over_time(sides: Sequence[Side]) -> Figure:
    traces, layout = _timed(_over_time(sides, "ttft_mean"))
    return Figure("Time to first token over time, mean", traces, {**layout, "xaxis": _clock(sides)})


def _waiting(sides: Sequence[Side]) -> Figure:
    most = max((value for _, told in sides for value in told["timeline"]["most_waiting"]), default=0)
    axis: dict[str, Any] = {"title": {"text": "requests"}, "tickformat": ",d"}
    axis["range"] = [0, max(1, most) * 1.05]
    if most < 5:
        axis["dtick"] = 1
    layout = {"xaxis": _clock(sides), "yaxis": axis}
    return Figure("Most requests waiting, over time", _over_time(sides, "most_waiting"), layout)


def _shares(sides: Sequence[Side]) -> Figure:
    names = sorted({name for _, told in sides for name in told["tenants"]})
    traces = []
    for number, (side, told) in enumerate(sides):
        label = f"of the cost served, {side}" if len(sides) > 1 else "of the cost served"
        shares = [told["tenants"].get(name, {}).get("cost_share") for name in names]
        traces.append(_bar(label, names, shares, 0, number))
    weights = [sides[0][1]["tenants"].get(name, {}).get("weight", 0) for name in names]
    whole = sum(weights) or 1
    traces.append(_bar("of the weights", names, [weight / whole for weight in weights], 1, 0))
    return Figure("Shares of the service, by tenant", traces, _share("share"))


def _cache(sides: Sequence[Side]) -> Figure:
    labels = ["found", "bound: one shared LRU", "bound: one without end"]
    keys = ("token_hit", "bound_shared_lru", "bound_infinite")
    traces = [
        _bar(side, labels, [told["cache"][key] for key in keys], 0, number)
        for number, (side, told) in enumerate(sides)
    ]
    return Figure("Prompt tokens found in a cache", traces, _share("share of prompt tokens"))


def _busy(sides: Sequence[Side]) -> Figure:
    traces = [
        _bar(side, _hosts(told), [one["utilisation"] for one in told["replicas"]], 0, number)
        for number, (side, told) in enumerate(sides)
    ]
    return Figure("Replicas: time busy", traces, _share("share of the time"))


def _computed(sides: Sequence[Side]) -> Figure:
    traces = [
        _bar(side, _hosts(told), [one["computed_tokens"] for one in told["replicas"]], 0, number)
        for number, (side, told) in enumerate(sides)
    ]
    axis = {"title": {"text": "prompt tokens computed"}, "rangemode": "tozero"}
    return Figure("Replicas: prompt tokens computed", traces, {"barmode": "group", "yaxis": axis})


def _line(name: str, x: Sequence[Any], y: Sequence[Any], colour: int, side: int) -> dict[str, Any]:
    tint = COLOURS[colour % len(COLOURS)]
    return {
        "type": "scatter",
        "name": name,
        "x": list(x),
        "y": list(y),
        "mode": "lines+markers" if len(x) <= 100 else "lines",
        "line": {"color": tint, "dash": "dot" if side else "solid"},
        "marker": {"color": tint, "size": 5, "symbol": "diamond-open" if side else "circle"},
    }


def _bar(name: str, x: Sequence[Any], y: Sequence[Any], colour: int, side: int) -> dict[str, Any]:
    marker = {"color": COLOURS[colour], "pattern": {"shape": "/" if side else ""}}
    return {"type": "bar", "name": name, "x": list(x), "y": list(y), "marker": marker}


def _share(title: str) -> dict[str, Any]:
    return {
        "barmode": "group",
        "yaxis": {"title": {"text": title}, "tickformat": ".0%", "rangemode": "tozero"},
    }


def _timed(traces: list[dict[str, Any]], *, log: bool = False) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Series in seconds, in the unit that reads best, and the layout that says which."""
    values = [value for one in traces for value in one["y"] if value]
    unit, scale = ("seconds", 1) if values and max(values) >= 1 else ("milliseconds", 1000)
    for one in traces:
        one["y"] = [None if value is None else value * scale for value in one["y"]]
    axis: dict[str, Any] = {"title": {"text": unit}, "hoverformat": ",.4~r"}
    if log and values:
        ticks = list(_ticks(min(values) * scale, max(values) * scale))
        axis |= {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,g}" for tick in ticks]}
    else:
        axis["rangemode"] = "tozero"
    return traces, {"yaxis": axis}


def _ticks(least: float, most: float) -> Iterator[float]:
    """Round numbers of each power of ten, around what is between; the fewer the longer that is."""
    steps = (1, 2, 3, 5, 7) if most < 30 * least else (1, 2, 5)
    for power in range(floor(log10(least)) - 1, floor(log10(most)) + 2):
        for step in steps:
            tick = round(step * 10.0**power, 12)
            if least / 2.5 <= tick <= most * 2.5:
                yield tick


def _over_time(sides: Sequence[Side], column: str) -> list[dict[str, Any]]:
    _, scale = _unit(sides)
    traces = []
    for number, (side, told) in enumerate(sides):
        line = told["timeline"]
        instants = [n * line["window_seconds"] / scale for n in range(len(line["arrived"]))]
        traces.append(_line(side, instants, line[column], 0, number))
    return traces


def _clock(sides: Sequence[Side]) -> dict[str, Any]:
    return {"title": {"text": _unit(sides)[0]}}


def _unit(sides: Sequence[Side]) -> tuple[str, int]:
    """What the time of the traffic is counted in, and its seconds."""
    seconds = max(told["simulated_seconds"] for _, told in sides)
    return ("seconds", 1) if seconds < 180 else ("minutes", 60)


def _hosts(told: dict[str, Any]) -> list[str]:
    return [one["name"].partition("://")[2] or one["name"] for one in told["replicas"]]
