"""How is a simulation's result shown: which tables, which plots, in which units?

A result is what ``headway simulate --format json`` prints. Times in it are seconds, here whole microseconds;
shares are fractions there and per cent here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simulations.mapping.promoting import Offer, Offers
from simulations.models import Run, Simulation, State

Report = Mapping[str, Any]
LATENCIES = (
    ("ttft", "Time to first token"),
    ("itl", "Between tokens"),
    ("e2e", "Whole answer"),
    ("queue", "In our queue"),
)
STATISTICS = ("mean", "p50", "p90", "p95", "p99")
NAMES = {
    "completed": "Completed",
    "refused": "Refused",
    "ttft.mean": "Time to first token, mean",
    "ttft.p50": "Time to first token, p50",
    "ttft.p90": "Time to first token, p90",
    "ttft.p99": "Time to first token, p99",
    "itl.mean": "Between tokens, mean",
    "itl.p99": "Between tokens, p99",
    "e2e.mean": "Whole answer, mean",
    "queue.p99": "In our queue, p99",
    "cache.token_hit": "Prompt tokens found cached",
    "imbalance.computed": "Computed tokens, most loaded replica over the mean",
}
SHORT = {
    "ttft.mean": "TTFT mean",
    "ttft.p90": "TTFT p90",
    "ttft.p99": "TTFT p99",
    "itl.p99": "ITL p99",
    "queue.p99": "Queue p99",
    "refused": "Refused",
    "cache.token_hit": "Cached",
}
STATES = {
    State.QUEUED: "unknown",
    State.RUNNING: "warn",
    State.DONE: "ok",
    State.FAILED: "bad",
    State.CANCELLED: "unknown",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with what it is counted in: ``µs``, ``%``, ``count`` or ``ratio``."""

    unit: str
    value: float | int | None

    @property
    def text(self) -> str:
        return written(self.unit, self.value)


def written(unit: str, value: float | None, sign: str = "") -> str:
    """As people read it; an en dash for what nobody knows."""
    if value is None:
        return "–"
    if unit == "µs":
        scale, name = _scale(abs(value))
        return f"{value / scale:{sign},.{0 if scale == 1 else 1 if scale == 1000 else 2}f} {name}"
    if unit == "%":
        return f"{value:{sign}.1f} %"
    if unit == "ratio":
        return f"{value:{sign}.3f}"
    return f"{value:{sign},.0f}"


def _scale(micros: float) -> tuple[int, str]:
    if micros < 1000:
        return 1, "µs"
    if micros < 1_000_000:
        return 1000, "ms"
    return (1_000_000, "s") if micros < 600_000_000 else (60_000_000, "min")


def figure(name: str, value: float | None) -> Figure:
    """One of the figures that are compared, by its name in a report."""
    if name in ("completed", "refused"):
        return Figure("count", value)
    if name.startswith("cache."):
        return Figure("%", None if value is None else value * 100)
    if name.startswith("imbalance."):
        return Figure("ratio", value)
    return _time(value)


def _time(seconds: float | None) -> Figure:
    return Figure("µs", None if seconds is None else round(seconds * 1_000_000))


def _share(fraction: float | None) -> Figure:
    return Figure("%", None if fraction is None else fraction * 100)


# -- tables ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of a name, perhaps whose it is, and figures; as many figures as there are heads."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[str, ...]], ...]
    sided: bool = False
    """Whether each name stands twice: this policy, and the other."""


def sides(result: Report) -> list[tuple[str, Report]]:
    """(what it is called, its report): one, or two that met the same arrivals."""
    found = [("this policy", result)]
    if "against" in result:
        found.append(("the other", result["against"]))
    return found


def facts(result: Report) -> list[tuple[str, str, str]]:
    """(what, of this policy, of the other or nothing): what the whole fleet came to."""
    found: list[list[tuple[str, str]]] = []
    for _, one in sides(result):
        cache, tokens = one["cache"], one["tokens"]
        bound = _share(cache["bound_infinite"]).text
        rates = f"{tokens['input_per_second']:,.0f} in, {tokens['output_per_second']:,.0f} out"
        found.append(
            [
                ("Prompt tokens found cached", f"{_share(cache['token_hit']).text} of at most {bound}"),
                ("Replicas busy", _share(one["utilisation"]).text),
                ("Tokens/s", rates),
                ("Spend", _money(one)),
            ]
        )
    others = found[1] if len(found) > 1 else [("", "")] * len(found[0])
    return [(name, ours, other) for (name, ours), (_, other) in zip(found[0], others, strict=True)]


def _money(one: Report) -> str:
    """Simulations made before the currency was told have none."""
    return f"{one['spend']:,.4g} {one.get('currency') or ''}".rstrip()


def tables(result: Report) -> list[Table]:
    both = sides(result)
    made = [
        _latencies(both),
        _groups("Tiers", "tiers", both),
        _groups("Tenants", "tenants", both),
        _pools(both),
        _replicas(both),
    ]
    if any(report["reservations"] for _, report in both):
        made.insert(3, _reservations(both))
    if any(report.get("objectives") for _, report in both):
        made.insert(2, _promises("Objectives of tiers", "objectives", both))
    if any(report.get("gates") for _, report in both):
        made.insert(1, _promises("Gates of expectations", "gates", both))
    if any(report.get("share_lag") for _, report in both):
        made.append(_lags(both))
    return made


def _lags(both: Sequence[tuple[str, Report]]) -> Table:
    heads = ("Ahead by (tokens per weight)", "Bound of R16", "Pool", "Tier", "After")
    rows = []
    for side, report in both:
        lag = report.get("share_lag")
        if lag:
            figures = (f"{lag['tokens']:,}", f"{lag['bound']:,}", lag["pool"], lag["tier"])
            name = f"{lag['ahead']} before {lag['behind']}"
            rows.append((name, side, (*figures, _time(lag["at_seconds"]).text)))
    return Table("Worst share lag, while both waited", heads, tuple(rows), len(both) > 1)


def _latencies(both: Sequence[tuple[str, Report]]) -> Table:
    rows = [
        (label, side, tuple(_time(report[name][key]).text for key in STATISTICS))
        for name, label in LATENCIES
        for side, report in both
    ]
    return Table("Latency", STATISTICS, tuple(rows), len(both) > 1)


def _groups(title: str, part: str, both: Sequence[tuple[str, Report]]) -> Table:
    heads = (
        "Requests",
        "Refused",
        "TTFT p50",
        "TTFT p95",
        "TTFT p99",
        "ITL mean",
        "Cached",
        "Of the cost",
        "Spend",
    )
    rows = []
    for name in _named(both, part):
        for side, report in both:
            one = report[part].get(name)
            if one is None:
                continue
            times = [_time(one["ttft"][key]).text for key in ("p50", "p95", "p99")]
            figures = (
                f"{one['requests']:,}",
                f"{sum(one['refused'].values()):,}",
                *times,
                _time(one["itl"]["mean"]).text,
                _share(one["token_hit"]).text,
                _share(one["cost_share"]).text,
                f"{one['spend']:,.4g}",
            )
            rows.append((name or "none", side, figures))
    return Table(title, heads, tuple(rows), len(both) > 1)


def _promises(title: str, part: str, both: Sequence[tuple[str, Report]]) -> Table:
    """What was promised and what came of it; simulations made before they were counted have none."""
    rows = []
    for side, report in both:
        for one in report.get(part) or ():
            share = one["metric"] == "deadline" or " at least " in one["says"]
            found = (_share if share else _time)(one["value"]).text
            word = {None: "nothing counted", True: "holds", False: "fails"}[one["holds"]]
            counts = (f"{one['kept']:,}", f"{one['given']:,}")
            scope = ", ".join(f"{each} {one[each]}" for each in ("tier", "tenant", "pool") if each in one)
            rows.append((one["name"], side, (scope or "all", one["says"], found, *counts, word)))
    return Table(title, ("Whose", "Promise", "Found", "Kept", "Of", "Verdict"), tuple(rows), len(both) > 1)


def _reservations(both: Sequence[tuple[str, Report]]) -> Table:
    heads = ("In its lane", "Spilled", "Beyond it", "Shortfall", "Honoured", "TTFT p99")
    rows = []
    for name in _named(both, "reservations"):
        for side, report in both:
            one = report["reservations"].get(name)
            if one is not None:
                counts = [f"{one[key]:,}" for key in ("used", "spilled", "exceeded", "shortfall")]
                promised = one.get("promised")  # simulations made before it was counted say nothing of it
                honoured = "unknown" if promised is None else f"{one['honoured']:,} of {promised:,}"
                rows.append((name, side, (*counts, honoured, _time(one["ttft"]["p99"]).text)))
    return Table("Reservations", heads, tuple(rows), len(both) > 1)


def _pools(both: Sequence[tuple[str, Report]]) -> Table:
    heads = ("Requests", "TTFT p95", "Cached", "Busy", "Input tokens/s", "Output tokens/s", "Imbalance")
    rows = []
    for name in _named(both, "pools"):
        for side, report in both:
            one = report["pools"].get(name)
            if one is None:
                continue
            figures = (
                f"{one['requests']:,}",
                _time(one["ttft"]["p95"]).text,
                _share(one["token_hit"]).text,
                _share(one["utilisation"]).text,
                f"{one['tokens']['input_per_second']:,.0f}",
                f"{one['tokens']['output_per_second']:,.0f}",
                f"{one['imbalance']['computed']:.3f}",
            )
            rows.append((name, side, figures))
    return Table("Pools", heads, tuple(rows), len(both) > 1)


def _replicas(both: Sequence[tuple[str, Report]]) -> Table:
    heads = (
        "TTFT p50",
        "TTFT p99",
        "Busy",
        "Computed tokens",
        "Output tokens",
        "Cached",
        "Most sequences",
        "Most of its KV",
    )
    rows = []
    for side, report in both:
        for one in report["replicas"]:
            ttft = one.get("ttft", {})  # simulations made before it was counted say nothing of it
            figures = (
                _time(ttft.get("p50")).text,
                _time(ttft.get("p99")).text,
                _share(one["utilisation"]).text,
                f"{one['computed_tokens']:,}",
                f"{one['output_tokens']:,}",
                _share(one["token_hit"]).text,
                f"{one['most_sequences']:,}",
                _share(one["most_kv"]).text,
            )
            rows.append((_host(one["name"]), side, figures))
    return Table("Replicas", heads, tuple(rows), len(both) > 1)


def differences(result: Report) -> list[tuple[str, str, str, str, str]]:
    """(figure, this policy, the other, this - other with its interval, how sure)."""
    rows = []
    for name, one in result.get("difference", {}).items():
        unit = figure(name, None).unit
        scale = {"µs": 1_000_000, "%": 100}.get(unit, 1)
        # A report says other - this; people ask what their change does.
        changed = 0.0 - one["difference"] * scale  # 0.0 first: no minus before a nought
        change = written(unit, changed, "+" if changed else "")
        if one["plus_minus"] is not None:
            change += f" ± {written(unit, one['plus_minus'] * scale)}"
        sure = {None: "one seed", True: "certain", False: "could be chance"}[one["certain"]]
        if not changed and not one["plus_minus"]:
            sure = "the same"
        ours, others = (figure(name, one[key]).text for key in ("a", "b"))
        rows.append((NAMES.get(name, name), ours, others, change, sure))
    return rows


def tried(result: Report) -> Table:
    """A sweep: a row for each value."""
    shown = ("ttft.mean", "ttft.p90", "ttft.p99", "itl.p99", "queue.p99", "refused", "cache.token_hit")
    rows = [
        (f"{one['value']:g}", "", tuple(figure(name, one["figures"][name]).text for name in shown))
        for one in result["tried"]
    ]
    return Table(f"By {result['sweep']}", tuple(SHORT[name] for name in shown), tuple(rows))


Tried = tuple[str, tuple[str, ...], Offer | None]
"""A value of a sweep: its name, its figures, and how it stands to the policy."""


def with_offers(table: Table, offers: Offers | None) -> tuple[Table, list[Tried]]:
    """The table of a sweep, and its rows."""
    items: Sequence[Offer | None] = offers.items if offers else [None] * len(table.rows)
    rows = zip(table.rows, items, strict=True)
    return table, [(name, figures, offer) for (name, _, figures), offer in rows]


def side_by_side(figures: Sequence[Mapping[str, float | None]]) -> list[tuple[str, list[str]]]:
    """(figure, its value in each simulation)."""
    return [(label, [figure(name, one.get(name)).text for one in figures]) for name, label in NAMES.items()]


def worst(result: Report) -> list[dict[str, Any]]:
    """The requests that waited longest for a first token, with why."""
    return [
        {
            "id": one["request_id"],
            "ttft": _time(one["ttft"]).text,
            "tenant": one["tenant"],
            "tier": one["tier"],
            "prompt": one["prompt_tokens"],
            "waited": Figure("µs", one["dispatch"]["queue_us"]).text,
            "replica": _host(one["dispatch"]["replica"]),
            "steps": one["steps"],
        }
        for one in result["worst"]
    ]


def _named(both: Iterable[tuple[str, Report]], part: str) -> list[str]:
    return sorted({name for _, report in both for name in report[part]})


def _host(url: str) -> str:
    return url.partition("://")[2] or url


# -- plots ----------------------------------------------------------------------------------------


def plots(result: Report) -> list[dict[str, Any]]:
    """What ``static/js/simulations/report.js`` draws. ``other``: of the other policy."""
    if "tried" in result:
        return _swept(result)
    both = sides(result)
    return [
        _percentiles(both),
        _over_time(both, "ttft_mean", "Time to first token over time, mean", "seconds"),
        _over_time(both, "most_waiting", "Most requests waiting, over time", "requests"),
        _tenants(both),
        _cached(both),
        _busy(both),
    ]


def _series(name: str, x: Sequence[Any], y: Sequence[Any], other: bool) -> dict[str, Any]:
    return {"name": name, "x": list(x), "y": list(y), "other": other}


def _percentiles(both: Sequence[tuple[str, Report]]) -> dict[str, Any]:
    keys = STATISTICS[1:]
    series = []
    for at, (side, report) in enumerate(both):
        for name, one in (("all", report), *sorted(report["tiers"].items())):
            label = f"{name or 'none'}, {side}" if len(both) > 1 else name or "none"
            series.append(_series(label, keys, [one["ttft"][key] for key in keys], at > 0))
    return _plot("percentiles", "Time to first token, by tier", "line", "", "seconds", series, log=True)


AXES = {
    "release_after": "release_after, seconds",
    "speed": "speed, times as recorded",
    "host_tokens": "KV tokens in host memory, a replica",
}
"""A sweep's number as an axis says it, where its name does not say in what."""


def _over_time(both: Sequence[tuple[str, Report]], column: str, title: str, unit: str) -> dict[str, Any]:
    series = []
    longest = max(report["simulated_seconds"] for _, report in both)
    clock, scale = ("seconds", 1) if longest < 180 else ("minutes", 60)
    for at, (side, report) in enumerate(both):
        line = report["timeline"]
        instants = [n * line["window_seconds"] / scale for n in range(len(line[column]))]
        series.append(_series(side, instants, line[column], at > 0))
    return _plot(column, title, "line", clock, unit, series)


def _tenants(both: Sequence[tuple[str, Report]]) -> dict[str, Any]:
    names = _named(both, "tenants")
    series = []
    for at, (side, report) in enumerate(both):
        tenants = report["tenants"]
        shares = [tenants.get(name, {}).get("cost_share") for name in names]
        series.append(
            _series(f"cost served, {side}" if len(both) > 1 else "cost served", names, shares, at > 0)
        )
    weights = [both[0][1]["tenants"].get(name, {}).get("weight", 0) for name in names]
    whole = sum(weights) or 1
    series.append(_series("weight", names, [weight / whole for weight in weights], False))
    return _plot("tenants", "Share of the service, by tenant", "bar", "", "share", series, share=True)


def _cached(both: Sequence[tuple[str, Report]]) -> dict[str, Any]:
    names = ("found", "one shared LRU", "one without end")
    keys = ("token_hit", "bound_shared_lru", "bound_infinite")
    series = [
        _series(side, names, [report["cache"][key] for key in keys], at > 0)
        for at, (side, report) in enumerate(both)
    ]
    title = "Prompt tokens found cached, beside what is possible"
    return _plot("cached", title, "bar", "", "share of prompt tokens", series, share=True)


def _busy(both: Sequence[tuple[str, Report]]) -> dict[str, Any]:
    series = [
        _series(
            side,
            [_host(one["name"]) for one in report["replicas"]],
            [one["utilisation"] for one in report["replicas"]],
            at > 0,
        )
        for at, (side, report) in enumerate(both)
    ]
    return _plot("replicas", "Replicas: time busy", "bar", "", "share of the time", series, share=True)


def _swept(result: Report) -> list[dict[str, Any]]:
    values = [one["value"] for one in result["tried"]]
    series = [
        _series(NAMES[name], values, [one["figures"][name] for one in result["tried"]], False)
        for name in ("ttft.p50", "ttft.p90", "ttft.p99")
    ]
    title = f"Time to first token, by {result['sweep']}"
    knob = str(result["sweep"])
    return [_plot("swept", title, "line", AXES.get(knob, knob), "seconds", series, log=True)]


def _plot(
    key: str,
    title: str,
    kind: str,
    x: str,
    y: str,
    series: list[dict[str, Any]],
    *,
    log: bool = False,
    share: bool = False,
) -> dict[str, Any]:
    return {
        "key": key,
        "title": title,
        "kind": kind,
        "x": x,
        "y": y,
        "log": log,
        "share": share,
        "series": series,
    }


# -- progress -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a simulation is."""

    percent: int
    arrived: int
    requests: int
    runs_done: int
    runs: int


def progress_of(simulation: Simulation, runs: Sequence[Run]) -> Progress:
    whole = sum(run.requests for run in runs)
    done = sum(run.requests if run.state == State.DONE else min(run.arrived, run.requests) for run in runs)
    percent = 100 if simulation.state == State.DONE else int(100 * done / whole) if whole else 0
    ended = sum(1 for run in runs if run.state == State.DONE)
    return Progress(min(percent, 100), done, whole, ended, len(runs))
