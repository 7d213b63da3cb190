"""How does a simulation's report read on a terminal?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

WORST_SHOWN = 5


def render(told: dict[str, Any]) -> str:
    """Tables of one report, or of two and their difference."""
    parts = [_headline(told), _latencies(told), _cache(told)]
    parts.append(_groups("tier", told["tiers"]))
    parts.append(_groups("tenant", told["tenants"]))
    if told["reservations"]:
        parts.append(_reservations(told["reservations"]))
    if told["objectives"]:
        parts.append(_promises("objective", told["objectives"]))
    if told["gates"]:
        parts.append(_promises("gate", told["gates"]))
    parts.append(_replicas(told["replicas"]))
    if "difference" in told:
        parts.append(_difference(told["difference"]))
    elif "seeds" in told:
        parts.append(_seeds(told["seeds"]))
    else:
        parts.append(_worst(told["worst"]))
    parts.append(f"inputs {told['inputs']['digest']}")
    return "\n\n".join(parts)


def render_study(told: dict[str, Any]) -> str:
    """A sweep or a search: one row for each simulation."""
    shown = ("ttft.mean", "ttft.p90", "ttft.p99", "itl.p99", "queue.p99", "refused", "cache.token_hit")
    finding = "find" in told
    rows = [[told.get("sweep") or told["find"], *shown, *(["objective"] if finding else [])]]
    for one in told["tried"]:
        row = [f"{one['value']:g}", *(figure(one["figures"][name]) for name in shown)]
        if finding:
            row.append(f"{figure(one['objective'])} {'holds' if one['holds'] else 'broken'}")
        rows.append(row)
    lines = [table(rows), "times in seconds"]
    if finding:
        least = told["found"]
        lines.append(
            f"no fleet tried keeps {told['objective']}"
            if least is None
            else f"{least} {_fleet(told['find'])} keep {told['objective']}"
        )
    return "\n".join(lines)


def _fleet(knob: str) -> str:
    pool = knob.partition(":")[2]
    return f"replicas in pool {pool}" if pool else "replicas in each pool"


def _headline(told: dict[str, Any]) -> str:
    refused = sum(told["refused"].values())
    lines = [
        f"{told['requests']:,} requests: {told['completed']:,} completed, {refused:,} refused; "
        f"{duration(told['simulated_seconds'])} simulated in {told['wall_seconds']:.1f} s"
    ]
    lines += [f"  refused {count:,} {code}" for code, count in told["refused"].items()]
    return "\n".join(lines)


def _latencies(told: dict[str, Any]) -> str:
    rows = [["", "mean", "p50", "p90", "p95", "p99"]]
    for name, label in (
        ("ttft", "time to first token"),
        ("itl", "between tokens"),
        ("e2e", "whole answer"),
        ("queue", "in our queue"),
    ):
        rows.append([label, *(duration(told[name][key]) for key in rows[0][1:])])
    return table(rows)


def _cache(told: dict[str, Any]) -> str:
    cache, imbalance = told["cache"], told["imbalance"]
    return (
        f"cache: {percent(cache['token_hit'])} of prompt tokens found; one shared LRU of the same size "
        f"{percent(cache['bound_shared_lru'])}, one without end {percent(cache['bound_infinite'])}\n"
        f"imbalance (most loaded replica / mean): input {imbalance['input']:.3f}, "
        f"computed {imbalance['computed']:.3f}"
    )


def _groups(title: str, groups: dict[str, dict[str, Any]]) -> str:
    rows = [[title, "requests", "refused", "TTFT p50", "p99", "ITL mean", "cached", "cost share", "weight"]]
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
            ]
        )
    return table(rows)


def _reservations(reservations: dict[str, dict[str, Any]]) -> str:
    rows = [
        ["reservation", "tenant", "by the lane", "spilled", "exceeded", "shortfall", "honoured", "TTFT p99"]
    ]
    for name, one in reservations.items():
        counts = [f"{one[key]:,}" for key in ("used", "spilled", "exceeded", "shortfall")]
        honoured = f"{one['honoured']:,} of {one['promised']:,}"
        rows.append([name, one["tenant"], *counts, honoured, duration(one["ttft"]["p99"])])
    return table(rows)


def _promises(title: str, promises: list[dict[str, Any]]) -> str:
    """What was promised, what came of it, and for how many of how many it was kept."""
    rows = [[title, "of", "promise", "found", "kept", "of", ""]]
    for one in promises:
        scope = ", ".join(f"{part} {one[part]}" for part in ("tier", "tenant", "pool") if part in one)
        share = " at least " in one["says"]
        found = "-" if one["value"] is None else (percent if share else duration)(one["value"])
        holds = {None: "nothing counted", True: "holds", False: "FAILS"}[one["holds"]]
        counts = (f"{one['kept']:,}", f"{one['given']:,}")
        rows.append([one["name"], scope or "all", one["says"], found, *counts, holds])
    return table(rows)


def _replicas(replicas: list[dict[str, Any]]) -> str:
    rows = [["replica", "busy", "computed", "output", "cached", "sequences", "KV"]]
    for one in replicas:
        rows.append(
            [
                one["name"],
                percent(one["utilisation"]),
                f"{one['computed_tokens']:,}",
                f"{one['output_tokens']:,}",
                percent(one["token_hit"]),
                f"{one['most_sequences']}",
                percent(one["most_kv"]),
            ]
        )
    return table(rows)


def _difference(difference: dict[str, dict[str, Any]]) -> str:
    rows = [["times in seconds", "this policy", "the other", "other - this", "95 %", ""]]
    for name, one in difference.items():
        certain = {None: "", True: "certain", False: "could be chance"}[one["certain"]]
        half = "" if one["plus_minus"] is None else f"± {figure(one['plus_minus'])}"
        rows.append([name, figure(one["a"]), figure(one["b"]), figure(one["difference"], "+"), half, certain])
    return table(rows)


def _seeds(seeds: dict[str, Any]) -> str:
    rows = [[f"over {seeds['count']} seeds", "mean", "95 %"]]
    for name, one in seeds.items():
        if name != "count":
            rows.append([name, figure(one["mean"]), f"± {figure(one['plus_minus'])}"])
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


def duration(seconds: float | None) -> str:
    """With the unit that reads best."""
    if seconds is None:
        return "-"
    if seconds >= 600:
        return f"{seconds / 60:.1f} min"
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.1f} ms" if seconds else "0"


def percent(share: float) -> str:
    return f"{share * 100:.1f} %"


def figure(value: float | None, sign: str = "") -> str:
    return "-" if value is None else format(value, f"{sign},.4g" if abs(value) < 1000 else f"{sign},.0f")
