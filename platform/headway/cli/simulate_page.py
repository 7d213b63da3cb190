"""Which page shows a simulation? One HTML file that needs nothing else, for a pull request or a mail."""

from __future__ import annotations

import html
import json
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from headway.cli.simulate_text import duration, figure, lag_of, latency_sections, rates_of, sections

STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5b6675; --line: #d8dee6; --page: #fbfcfd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --quiet: #9aa6b5; --line: #333d4a; --page: #12171e; }
}
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.5rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p, small { color: var(--quiet) } .plot { min-height: 20rem }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left } th { font-weight: 600; color: var(--quiet) }
details { border-bottom: 1px solid var(--line); padding: .4rem 0 } summary { cursor: pointer }
details li { font-size: .9rem }
"""
COLOURS = ("#2a6fdb", "#d9822b", "#2f9e6e", "#a05bc4", "#c2465a", "#5b8a99", "#8a7a2d", "#7a7f87")
PERCENTILES = ("p50", "p90", "p95", "p99")


def page(told: dict[str, Any]) -> str:
    """The whole page; ``told`` is what ``--format json`` prints."""
    sides = [("this policy", told)]
    if "against" in told:
        sides.append(("the other policy", told["against"]))
    plots = {
        "Time to first token": _percentiles(sides),
        "Over time": _over_time(sides),
        "Shares of the service, by tenant": _shares(told),
        "Prompt tokens found in a cache": _cache(sides),
        "Replicas: busy, and computed tokens": _replicas(sides),
    }
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Headway simulation</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{told['requests']:,} requests, {duration(told['simulated_seconds'])} of traffic</h1>",
        f"<p>{told['completed']:,} completed, {sum(told['refused'].values()):,} refused{_codes(told)}. "
        f"{rates_of(told)}.<br>"
        f"{html.escape(lag_of(told['share_lag']))}.<br>"
        f"Inputs <code>{html.escape(told['inputs']['digest'])}</code></p>",
    ]
    if told.get("verdict"):
        parts.insert(-1, f"<p><strong>Its gates: {html.escape(told['verdict'])}.</strong></p>")
    if "difference" in told:
        parts.append(_difference(told["difference"]))
    for number, title in enumerate(plots):
        parts.append(f'<h2>{title}</h2><div class="plot" id="plot{number}"></div>')
    for side, one in sides:
        for title, rows in (*latency_sections(one), *sections(one)):
            parts.append(_table(title if len(sides) == 1 else f"{title}, {side}", rows))
    parts.append(_worst(told["worst"]))
    parts.append(f"<script>{get_plotlyjs()}</script>")
    figures = [json.loads(plot.to_json()) for plot in plots.values()]
    parts.append(f"<script>{_drawing(figures)}</script></body></html>")
    return "\n".join(parts)


def _drawing(figures: list[dict[str, Any]]) -> str:
    data = json.dumps(figures).replace("</", "<\\/")
    return (
        f"const figures = {data};\n"
        "const dark = matchMedia('(prefers-color-scheme: dark)').matches;\n"
        "figures.forEach((one, n) => {\n"
        "  Object.assign(one.layout, {paper_bgcolor: 'transparent', plot_bgcolor: 'transparent',\n"
        "    font: {color: dark ? '#e6eaf0' : '#1c2430'}, margin: {t: 50, r: 60}});\n"
        "  Plotly.newPlot('plot' + n, one.data, one.layout, {responsive: true, displayModeBar: false});\n"
        "});"
    )


def _figure(traces: list[Any], **layout: Any) -> go.Figure:
    legend = {"orientation": "h", "y": 1.12, "x": 0}
    return go.Figure(traces, go.Layout(template=None, colorway=COLOURS, legend=legend, **layout))


def _percentiles(sides: list[tuple[str, dict[str, Any]]]) -> go.Figure:
    traces = []
    for number, (side, told) in enumerate(sides):
        groups = [("all", told), *((f"tier {name}", one) for name, one in told["tiers"].items())]
        for name, one in groups:
            traces.append(
                go.Scatter(
                    x=list(PERCENTILES),
                    y=[one["ttft"][key] for key in PERCENTILES],
                    name=f"{side}: {name}" if len(sides) > 1 else name,
                    mode="lines+markers",
                    line={"dash": "dot" if number else "solid"},
                )
            )
    return _figure(traces, yaxis={"title": "seconds", "type": "log"})


def _over_time(sides: list[tuple[str, dict[str, Any]]]) -> go.Figure:
    traces: list[Any] = []
    for number, (side, told) in enumerate(sides):
        line = told["timeline"]
        minutes = [n * line["window_seconds"] / 60 for n in range(len(line["arrived"]))]
        colour = COLOURS[number]
        traces.append(
            go.Scatter(x=minutes, y=line["ttft_mean"], name=f"{side}: mean TTFT", line={"color": colour})
        )
        traces.append(
            go.Scatter(
                x=minutes,
                y=line["most_waiting"],
                name=f"{side}: most waiting",
                yaxis="y2",
                line={"color": colour, "dash": "dot"},
            )
        )
    return _figure(
        traces,
        xaxis={"title": "minutes"},
        yaxis={"title": "seconds", "rangemode": "tozero"},
        yaxis2={"title": "requests waiting", "overlaying": "y", "side": "right", "rangemode": "tozero"},
    )


def _shares(told: dict[str, Any]) -> go.Figure:
    tenants = told["tenants"]
    weights = sum(one["weight"] for one in tenants.values()) or 1
    names = list(tenants)
    return _figure(
        [
            go.Bar(x=names, y=[tenants[name]["cost_share"] for name in names], name="of the cost served"),
            go.Bar(x=names, y=[tenants[name]["weight"] / weights for name in names], name="of the weights"),
        ],
        yaxis={"title": "share", "tickformat": ".0%"},
        barmode="group",
    )


def _cache(sides: list[tuple[str, dict[str, Any]]]) -> go.Figure:
    labels = ["found", "one shared LRU", "one without end"]
    keys = ("token_hit", "bound_shared_lru", "bound_infinite")
    return _figure(
        [go.Bar(x=labels, y=[told["cache"][key] for key in keys], name=side) for side, told in sides],
        yaxis={"title": "share of prompt tokens", "tickformat": ".0%"},
        barmode="group",
    )


def _replicas(sides: list[tuple[str, dict[str, Any]]]) -> go.Figure:
    traces: list[Any] = []
    for number, (side, told) in enumerate(sides):
        names = [one["name"].partition("://")[2] or one["name"] for one in told["replicas"]]
        colour = COLOURS[number]
        traces.append(
            go.Bar(
                x=names,
                y=[one["utilisation"] for one in told["replicas"]],
                name=f"{side}: busy",
                marker={"color": colour},
            )
        )
        traces.append(
            go.Scatter(
                x=names,
                y=[one["computed_tokens"] for one in told["replicas"]],
                name=f"{side}: computed tokens",
                yaxis="y2",
                mode="markers",
                marker={"color": colour, "size": 10, "line": {"width": 1, "color": "#888"}},
            )
        )
    return _figure(
        traces,
        barmode="group",
        yaxis={"title": "busy", "tickformat": ".0%", "rangemode": "tozero"},
        yaxis2={"title": "tokens", "overlaying": "y", "side": "right", "rangemode": "tozero"},
    )


def _codes(told: dict[str, Any]) -> str:
    codes = ", ".join(f"{count:,} {html.escape(code)}" for code, count in told["refused"].items())
    return f" ({codes})" if codes else ""


def _difference(difference: dict[str, dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{figure(one['a'])}</td><td>{figure(one['b'])}</td>"
        f"<td>{figure(one['difference'], '+')}</td>"
        f"<td>{'' if one['plus_minus'] is None else '± ' + figure(one['plus_minus'])}</td></tr>"
        for name, one in difference.items()
    )
    return (
        "<h2>Against each other, on the same arrivals</h2><p>Times in seconds.</p>"
        '<div class="scroll"><table><tr><th></th>'
        "<th>this policy</th><th>the other</th><th>other - this</th><th>95 %</th></tr>"
        f"{rows}</table></div>"
    )


def _table(title: str, rows: list[list[str]]) -> str:
    heads = "".join(f"<th>{html.escape(head)}</th>" for head in rows[0])
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows[1:]
    )
    return f'<h2>{html.escape(title)}</h2><div class="scroll"><table><tr>{heads}</tr>{body}</table></div>'


def _worst(worst: list[dict[str, Any]]) -> str:
    parts = ["<h2>Longest to a first token, explained</h2>"]
    said = html.escape
    for one in worst:
        dispatch = one["dispatch"]
        steps = "".join(f"<li><b>{said(step['rule'])}</b> {said(step['says'])}</li>" for step in one["steps"])
        parts.append(
            f"<details><summary>{duration(one['ttft'])}: {said(one['request_id'])}, {said(one['tenant'])}, "
            f"tier {said(one['tier'])}, {one['prompt_tokens']:,} tokens, waited "
            f"{duration(dispatch['queue_us'] / 1e6)}, {said(dispatch['replica'])}</summary>"
            f"<ul>{steps}</ul></details>"
        )
    return "\n".join(parts)
