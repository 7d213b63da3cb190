"""Which page shows a simulation? One HTML file that needs nothing else, for a pull request or a mail."""

from __future__ import annotations

import html
import json
from itertools import zip_longest
from typing import Any

from plotly.offline import get_plotlyjs

from headway.cli.simulate_plots import Figure, plots
from headway.cli.simulate_text import (
    DIFFERENCE_HEADS,
    LABELS,
    differences,
    duration,
    lag_of,
    latency_sections,
    percent,
    rates_of,
    sections,
)

Side = tuple[str, dict[str, Any]]
STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --quiet: #5b6675; --line: #d8dee6; --page: #fbfcfd; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6eaf0; --quiet: #9aa6b5; --line: #333d4a; --page: #12171e; }
}
body { margin: 0 auto; max-width: 72rem; padding: 2rem 1.5rem; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.4rem; margin: 0 0 .25rem } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
p, small, .side { color: var(--quiet) } .plot { min-height: 20rem } code { overflow-wrap: anywhere }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(30rem, 100%), 1fr)); gap: 0 2rem }
.plots section { min-width: 0 }
.scroll { overflow-x: auto } table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left; padding-left: 0 }
th { font-weight: 600; color: var(--quiet) } p strong { color: var(--ink) }
@media (max-width: 40rem) { td:first-child { white-space: normal; min-width: 8rem } }
.inputs td:last-child { white-space: normal; text-align: left; overflow-wrap: anywhere }
details { border-bottom: 1px solid var(--line); padding: .4rem 0 } summary { cursor: pointer }
details li { font-size: .9rem }
"""


def page(told: dict[str, Any]) -> str:
    """The whole page; ``told`` is what ``--format json`` prints."""
    sides: list[Side] = [("this policy", told)]
    if "against" in told:
        sides.append(("the other policy", told["against"]))
    figures = plots(sides)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><title>Headway simulation</title>',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<style>{STYLE}</style></head><body>",
        f"<h1>{told['requests']:,} requests, {duration(told['simulated_seconds'])} of traffic</h1>",
        *(f"<p>{_came_to(side, one, alone=len(sides) == 1)}</p>" for side, one in sides),
        *_notes(told),
    ]
    if "difference" in told:
        parts.append(_difference(told["difference"]))
    parts.append('<div class="plots">')
    for number, one in enumerate(figures):
        parts.append(f'<section><h2>{one.title}</h2><div class="plot" id="plot{number}"></div></section>')
    parts.append("</div>")
    tables = [[*latency_sections(one), *sections(one)] for _, one in sides]
    for title in dict.fromkeys(title for row in zip_longest(*tables) for title, _ in filter(None, row)):
        for (side, _), found in zip(sides, tables, strict=True):
            parts += [
                _table(title if len(sides) == 1 else f"{title}, {side}", rows)
                for name, rows in found
                if name == title
            ]
    parts.append(_worst(told["worst"]))
    parts.append(_inputs(sides))
    parts.append(f"<script>{get_plotlyjs()}</script>")
    parts.append(f"<script>{_drawing(figures)}</script></body></html>")
    return "\n".join(parts)


def _came_to(side: str, told: dict[str, Any], *, alone: bool) -> str:
    """What became of the requests, in a few lines."""
    cache, lag = told["cache"], lag_of(told["share_lag"])
    return (
        f"{'' if alone else f'<strong>{side.capitalize()}:</strong> '}{told['completed']:,} completed, "
        f"{sum(told['refused'].values()):,} refused{_codes(told)}. {html.escape(rates_of(told))}.<br>"
        f"{percent(cache['token_hit'])} of prompt tokens found in a cache (one shared LRU of the same size "
        f"{percent(cache['bound_shared_lru'])}, one without end {percent(cache['bound_infinite'])}). "
        f"{html.escape(lag[:1].upper() + lag[1:])}."
    )


def _notes(told: dict[str, Any]) -> list[str]:
    """Whether its gates hold, and whose figures these are."""
    found = []
    if told.get("verdict"):
        says = "Every gate holds." if told["verdict"] == "holds" else "A gate fails."
        found.append(f"<p><strong>{says}</strong></p>")
    if "seeds" in told:
        seed, count = told["inputs"]["seed"], told["seeds"]["count"]
        found.append(f"<p>Tables and plots are of seed {seed}, one of {count}.</p>")
    return found


def _drawing(figures: list[Figure]) -> str:
    data = json.dumps([{"data": one.traces, "layout": one.layout} for one in figures]).replace("</", "<\\/")
    return (
        f"const figures = {data};\n"
        """const scheme = matchMedia("(prefers-color-scheme: dark)");
function draw() {
  const style = getComputedStyle(document.documentElement);
  const [ink, line, page] = ["--ink", "--line", "--page"].map((name) => style.getPropertyValue(name).trim());
  figures.forEach((one, n) => {
    const place = document.getElementById("plot" + n);
    const a_row = Math.max(1, Math.floor(place.clientWidth / 190));
    const rows = one.data.length > 1 ? Math.ceil(one.data.length / a_row) : 0;
    const axis = {gridcolor: line, zerolinecolor: line, linecolor: line, automargin: true};
    const layout = {...one.layout, height: 300 + 20 * rows, margin: {t: 8, r: 16, b: 40},
      paper_bgcolor: page, plot_bgcolor: page, font: {color: ink},
      hoverlabel: {bgcolor: page, font: {color: ink}}, hovermode: "x unified",
      showlegend: rows > 0, legend: {orientation: "h", x: 0, y: 1.02, yanchor: "bottom"},
      xaxis: {...axis, ...one.layout.xaxis}, yaxis: {...axis, ...one.layout.yaxis}};
    Plotly.react(place, one.data, layout, {responsive: true, displayModeBar: false});
  });
}
scheme.addEventListener("change", draw);
draw();"""
    )


def _codes(told: dict[str, Any]) -> str:
    codes = ", ".join(f"{count:,} {html.escape(code)}" for code, count in told["refused"].items())
    return f" ({codes})" if codes else ""


def _difference(difference: dict[str, dict[str, Any]]) -> str:
    rows = [[LABELS.get(name, name), *cells] for name, cells in differences(difference)]
    return _table("Against each other, on the same arrivals", [["", *DIFFERENCE_HEADS], *rows])


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


def _inputs(sides: list[Side]) -> str:
    """What the report is a function of."""
    told = sides[0][1]["inputs"]
    rows = [("all of it", told["digest"]), ("policy", told["policy"])]
    rows += [("the other policy", one["inputs"]["policy"]) for _, one in sides[1:]]
    rows += [("trace", told["trace"]), ("model", told["model"]), ("seed", str(told["seed"]))]
    rows += [("speed", f"{told['speed']:g} times as recorded")]
    rows += [(f"profile of {pool}", digest) for pool, digest in told["profiles"].items()]
    body = "".join(
        f"<tr><td>{html.escape(name)}</td><td><code>{html.escape(value)}</code></td></tr>"
        for name, value in rows
    )
    return f'<h2>What it is a function of</h2><div class="scroll"><table class="inputs">{body}</table></div>'
