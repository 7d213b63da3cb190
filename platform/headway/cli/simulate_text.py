"""How does a simulation's report read on a terminal?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WORST_SHOWN = 5
WINDOWS_SHOWN = 12


Rows = list[list[str]]
LABELS = {
    "completed": "completed",
    "refused": "refused",
    "ttft.mean": "time to first token, mean",
    "ttft.p50": "time to first token, p50",
    "ttft.p90": "time to first token, p90",
    "ttft.p99": "time to first token, p99",
    "itl.mean": "between tokens, mean",
    "itl.p99": "between tokens, p99",
    "e2e.mean": "whole answer, mean",
    "queue.p99": "in our queue, p99",
    "cache.token_hit": "prompt tokens found cached",
    "imbalance.computed": "computed tokens, most loaded replica / mean",
}
"""What people call the figures that are compared (``coordination.simulator.comparing.FIGURES``)."""


def render(told: dict[str, Any]) -> str:
    """Tables of one report, or of two and their difference."""
    parts = [_headline(told)]
    parts += [table(rows) for _, rows in latency_sections(told)]
    parts.append(_cache(told))
    parts += [table(rows) for _, rows in sections(told)]
    if "difference" in told:
        parts.append(_difference(told["difference"]))
    elif "seeds" in told:
        parts.append(_seeds(told["seeds"]))
    else:
        parts.append(_worst(told["worst"]))
    parts.append(f"inputs {told['inputs']['digest']}")
    return "\n\n".join(parts)


def latency_sections(told: dict[str, Any]) -> list[tuple[str, Rows]]:
    """(title, rows) of the times of the whole, and of every tier, tenant, pool and replica."""
    found = [("Latency", _latencies(told))]
    groups = [
        (f"{title} {name or '-'}", one)
        for title, part in (("tier", "tiers"), ("tenant", "tenants"), ("pool", "pools"))
        for name, one in told[part].items()
    ]
    groups += [(f"replica {one['name'].partition('://')[2] or one['name']}", one) for one in told["replicas"]]
    rows = [["", "TTFT mean", "p50", "p95", "p99", "ITL p50", "p95", "p99", "whole p50", "p95", "p99"]]
    for name, one in groups:
        times = [duration(one["ttft"]["mean"])]
        times += [
            duration(one[metric][at]) for metric in ("ttft", "itl", "e2e") for at in ("p50", "p95", "p99")
        ]
        rows.append([name, *times])
    return [*found, ("Latency by part", rows)]


def sections(told: dict[str, Any]) -> list[tuple[str, Rows]]:
    """(title, rows) of everything else that is counted, the first row being the heads."""
    found = [
        ("Tiers", _groups("tier", told["tiers"])),
        ("Tenants", _groups("tenant", told["tenants"])),
        ("Pools", _pools(told["pools"])),
    ]
    if told["reservations"]:
        found.append(("Reservations", _reservations(told["reservations"])))
    if told["objectives"]:
        found.append(("Objectives", _promises("objective", told["objectives"])))
    if told["gates"]:
        found.append(("Gates", _promises("gate", told["gates"])))
    found.append(("Replicas", _replicas(told["replicas"])))
    if any((steering := told["steering"]).values()):
        found.append(("Routes", _steering(steering)))
    found.append(("Over time", _timeline(told["timeline"])))
    return found


def render_study(told: dict[str, Any]) -> str:
    """A sweep or a search: one row for each simulation."""
    shown = ("ttft.mean", "ttft.p90", "ttft.p99", "itl.p99", "queue.p99", "refused", "cache.token_hit")
    finding = "find" in told
    rows = [[told.get("sweep") or told["find"], *shown, *(["objective"] if finding else [])]]
    for one in told["tried"]:
        row = [f"{one['value']:g}", *(measured(name, one["figures"][name]) for name in shown)]
        if finding:
            share = told["objective"].split("<=")[0].strip().endswith("refused")
            found = measured("cache." if share else "ttft", one["objective"])
            row.append(f"{found} {'holds' if one['holds'] else 'broken'}")
        rows.append(row)
    lines = [table(rows)]
    if finding:
        least = told["found"]
        lines.append(
            f"no fleet tried keeps {told['objective']}"
            if least is None
            else f"{_fleet(least, told['find'])} {told['objective']}"
        )
    return "\n".join(lines)


def _fleet(count: int, knob: str) -> str:
    pool = knob.partition(":")[2]
    fleet, keep = ("replica", "keeps") if count == 1 else ("replicas", "keep")
    return f"{count:g} {fleet} in {f'pool {pool}' if pool else 'each pool'} {keep}"


def _headline(told: dict[str, Any]) -> str:
    refused = sum(told["refused"].values())
    lines = [
        f"{told['requests']:,} requests: {told['completed']:,} completed, {refused:,} refused; "
        f"{duration(told['simulated_seconds'])} simulated in {told['wall_seconds']:.1f} s",
        rates_of(told),
    ]
    if "seeds" in told:
        lines.append(f"of seed {told['inputs']['seed']}; what {told['seeds']['count']} come to stands below")
    lines += [f"  refused {count:,} {code}" for code, count in told["refused"].items()]
    return "\n".join(lines)


def rates_of(told: dict[str, Any]) -> str:
    """What the fleet came to, in a line."""
    tokens = told["tokens"]
    return (
        f"{tokens['input_per_second']:,.0f} tokens/s in, {tokens['output_per_second']:,.0f} out; "
        f"replicas {percent(told['utilisation'])} busy; spend {told['spend']:,.4g} {told['currency'] or ''}"
    ).rstrip()


def _latencies(told: dict[str, Any]) -> Rows:
    rows = [["", "mean", "p50", "p90", "p95", "p99"]]
    for name, label in (
        ("ttft", "time to first token"),
        ("itl", "between tokens"),
        ("e2e", "whole answer"),
        ("queue", "in our queue"),
    ):
        rows.append([label, *(duration(told[name][key]) for key in rows[0][1:])])
    return rows


def _cache(told: dict[str, Any]) -> str:
    cache, imbalance = told["cache"], told["imbalance"]
    return (
        f"cache: {percent(cache['token_hit'])} of prompt tokens found; one shared LRU of the same size "
        f"{percent(cache['bound_shared_lru'])}, one without end {percent(cache['bound_infinite'])}\n"
        f"imbalance (most loaded replica / mean): input {imbalance['input']:.3f}, "
        f"computed {imbalance['computed']:.3f}\n"
        f"{lag_of(told['share_lag'])}"
    )


def lag_of(lag: dict[str, Any] | None) -> str:
    """The worst share lag, in words."""
    if lag is None:
        return "share lag: no tenant waited behind another"
    return (
        f"share lag: {lag['ahead']} was {lag['tokens']:,} tokens per weight ahead of {lag['behind']} while "
        f"both waited (pool {lag['pool']}, tier {lag['tier']}, after {duration(lag['at_seconds'])}); "
        f"R16 bounds it by {lag['bound']:,}"
    )


def _steering(told: dict[str, Any]) -> Rows:
    rows = [["routes", ""]]
    for route, one in told["hedging"].items():
        rows.append(
            [
                route,
                f"{one['second_attempts']} of {one['requests']} tried twice, {one['won']} second ones won",
            ]
        )
    for one in told["canaries_given_up"]:
        after = duration(one["at_seconds"])
        rows.append([one["route"], f"canary {one['pool']} given up after {after}: {one['why']}"])
    rows += [["not simulated", text] for text in told["not_simulated"]]
    return rows


def _groups(title: str, groups: dict[str, dict[str, Any]]) -> Rows:
    rows = [
        [
            title,
            "requests",
            "refused",
            "TTFT p50",
            "p99",
            "ITL mean",
            "cached",
            "cost share",
            "weight",
            "spend",
        ]
    ]
    for name, one in groups.items():
        rows.append(
            [
                name or "-",
                f"{one['requests']:,}",
                f"{sum(one['refused'].values()):,}",
                duration(one["ttft"]["p50"]),
                duration(one["ttft"]["p99"]),
                duration(one["itl"]["mean"]),
                percent(one["token_hit"]),
                percent(one["cost_share"]),
                f"{one['weight']:g}" if "weight" in one else "",
                f"{one['spend']:,.4g}",
            ]
        )
    return rows


def _reservations(reservations: dict[str, dict[str, Any]]) -> Rows:
    rows = [
        ["reservation", "tenant", "by the lane", "spilled", "exceeded", "shortfall", "honoured", "TTFT p99"]
    ]
    for name, one in reservations.items():
        counts = [f"{one[key]:,}" for key in ("used", "spilled", "exceeded", "shortfall")]
        honoured = f"{one['honoured']:,} of {one['promised']:,}"
        rows.append([name, one["tenant"], *counts, honoured, duration(one["ttft"]["p99"])])
    return rows


def _promises(title: str, promises: list[dict[str, Any]]) -> Rows:
    """What was promised, what came of it, and for how many of how many it was kept."""
    rows = [[title, "of", "promise", "found", "kept", "of", ""]]
    for one in promises:
        scope = ", ".join(f"{part} {one[part]}" for part in ("tier", "tenant", "pool") if part in one)
        share = " at least " in one["says"]  # and no time
        found = "-" if one["value"] is None else (percent if share else duration)(one["value"])
        holds = {None: "nothing counted", True: "holds", False: "FAILS"}[one["holds"]]
        counts = (f"{one['kept']:,}", f"{one['given']:,}")
        rows.append([one["name"], scope or "all", one["says"], found, *counts, holds])
    return rows


def _replicas(replicas: list[dict[str, Any]]) -> Rows:
    rows = [["replica", "TTFT p50", "p99", "busy", "computed", "output", "cached", "sequences", "KV"]]
    for one in replicas:
        rows.append(
            [
                one["name"],
                duration(one["ttft"]["p50"]),
                duration(one["ttft"]["p99"]),
                percent(one["utilisation"]),
                f"{one['computed_tokens']:,}",
                f"{one['output_tokens']:,}",
                percent(one["token_hit"]),
                f"{one['most_sequences']}",
                percent(one["most_kv"]),
            ]
        )
    return rows


def _pools(pools: dict[str, dict[str, Any]]) -> Rows:
    rows = [["pool", "requests", "refused", "busy", "input/s", "output/s", "cached", "imbalance"]]
    for name, one in pools.items():
        rows.append(
            [
                name,
                f"{one['requests']:,}",
                f"{sum(one['refused'].values()):,}",
                percent(one["utilisation"]),
                f"{one['tokens']['input_per_second']:,.0f}",
                f"{one['tokens']['output_per_second']:,.0f}",
                percent(one["token_hit"]),
                f"{one['imbalance']['computed']:.3f}",
            ]
        )
    return rows


def _timeline(line: dict[str, Any]) -> Rows:
    """Windows joined until there are few enough to read."""
    count = len(line["arrived"])
    each = max(1, -(-count // WINDOWS_SHOWN))
    rows = [["from", "arrived", "completed", "refused", "TTFT mean", "most waiting", "input/s", "output/s"]]
    for start in range(0, count, each):
        part = slice(start, start + each)
        seconds = line["window_seconds"] * len(line["arrived"][part])
        means = [
            (mean, n) for mean, n in zip(line["ttft_mean"][part], line["firsts"][part], strict=True) if n
        ]
        firsts = sum(n for _, n in means)
        mean = sum(value * n for value, n in means) / firsts if firsts else None
        counts = [f"{sum(line[name][part]):,}" for name in ("arrived", "completed", "refused")]
        rates = [f"{sum(line[name][part]) / seconds:,.0f}" for name in ("input_tokens", "output_tokens")]
        began = duration(start * line["window_seconds"])
        rows.append([began, *counts, duration(mean), f"{max(line['most_waiting'][part]):,}", *rates])
    return rows


def _difference(difference: dict[str, dict[str, Any]]) -> str:
    return table([["", *DIFFERENCE_HEADS], *([name, *cells] for name, cells in differences(difference))])


DIFFERENCE_HEADS = ("this policy", "the other", "other - this", "95 %", "")


def differences(difference: dict[str, dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """(figure, a cell for each of ``DIFFERENCE_HEADS``)."""
    rows = []
    for name, one in difference.items():
        half = "" if one["plus_minus"] is None else f"± {measured(name, one['plus_minus'])}"
        certain = {None: "", True: "certain", False: "could be chance"}[one["certain"]]
        if not one["difference"] and not one["plus_minus"]:
            certain = "the same"
        values = [measured(name, one[key]) for key in ("a", "b")]
        rows.append((name, [*values, measured(name, one["difference"], "+"), half, certain]))
    return rows


def _seeds(seeds: dict[str, Any]) -> str:
    rows = [[f"over {seeds['count']} seeds", "mean", "95 %"]]
    for name, one in seeds.items():
        if name != "count":
            rows.append([name, measured(name, one["mean"]), f"± {measured(name, one['plus_minus'])}"])
    return table(rows)


def _worst(worst: list[dict[str, Any]]) -> str:
    shown = min(WORST_SHOWN, len(worst))
    lines = [f"longest to a first token ({shown} of {len(worst)} kept; --format json has all)"]
    for one in worst[:WORST_SHOWN]:
        dispatch = one["dispatch"]
        lines.append(
            f"  {duration(one['ttft'])}  {one['request_id']}  {one['tenant']} {one['tier']}, "
            f"{one['prompt_tokens']:,} tokens, waited {duration(dispatch['queue_us'] / 1e6)}, "
            f"on {dispatch['replica']}"
        )
        lines += [f"      {step['rule']}  {step['says']}" for step in one["steps"]]
    return "\n".join(lines)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as they must be: the first to the left, the others to the right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if not position else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def duration(seconds: float | None, sign: str = "") -> str:
    """With the unit that reads best."""
    if seconds is None:
        return "-"
    size = abs(seconds)
    if size >= 600:
        return f"{seconds / 60:{sign}.1f} min"
    if size >= 1:
        return f"{seconds:{sign}.2f} s"
    if size >= 0.001:
        return f"{seconds * 1000:{sign}.1f} ms"
    return f"{seconds * 1e6:{sign}.0f} µs" if size else "0"


def percent(share: float, sign: str = "") -> str:
    """Never minus nought."""
    return f"{round(share * 100, 1) + 0.0:{sign}.1f} %"


def measured(name: str, value: float | None, sign: str = "") -> str:
    """One of the figures that are compared, by its name, with its unit."""
    if value is None:
        return "-"
    if name.startswith("cache."):
        return percent(value, sign)
    if name.startswith("imbalance."):
        return f"{value:{sign}.3f}"
    if name in ("completed", "refused"):
        return format(value, f"{sign},.4g" if abs(value) < 1000 else f"{sign},.0f")
    return duration(value, sign)
