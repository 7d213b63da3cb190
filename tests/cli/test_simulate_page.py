"""What the page and the tables of a simulation say: units everywhere, each side beside the other."""

from __future__ import annotations

import re

import pytest

from headway.cli.simulate_plots import PERCENTILES, plots
from headway.cli.simulate_text import duration, measured, percent, render_study
from tests.cli.test_simulate import QUICKSTART, TRACE, as_json


@pytest.fixture(scope="module")
def report():
    return as_json(QUICKSTART, "--trace", TRACE, "--limit", 40)


@pytest.mark.parametrize(
    ("seconds", "sign", "text"),
    [
        (None, "", "-"),
        (0, "+", "0"),
        (0.00002, "+", "+20 µs"),
        (-0.0123, "+", "-12.3 ms"),
        (1.5, "", "1.50 s"),
        (-700, "+", "-11.7 min"),
    ],
)
def test_a_time_has_the_unit_that_reads_best(seconds, sign, text):
    assert duration(seconds, sign) == text


def test_nothing_is_minus_nought():
    assert percent(-0.0004, "+") == "+0.0 %"
    assert percent(-0.0006, "+") == "-0.1 %"


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("ttft.mean", 0.144, "144.0 ms"),
        ("cache.token_hit", 0.578, "57.8 %"),
        ("imbalance.computed", 1.497, "1.497"),
        ("refused", 12_345, "12,345"),
        ("completed", 1.5, "1.5"),
        ("queue.p99", None, "-"),
    ],
)
def test_a_compared_figure_has_its_unit(name, value, text):
    assert measured(name, value) == text


@pytest.mark.parametrize(
    ("objective", "value", "shown"), [("refused<=1%", 0.004, "0.4 %"), ("fast.ttft.p95<=2s", 1.25, "1.25 s")]
)
def test_a_search_tells_what_it_found_in_the_objective_s_unit(objective, value, shown):
    figures = dict.fromkeys(
        ("ttft.mean", "ttft.p90", "ttft.p99", "itl.p99", "queue.p99", "refused", "cache.token_hit"), 0.5
    )
    line = {"value": 1, "figures": figures, "objective": value, "holds": True}
    text = render_study({"find": "replicas", "objective": objective, "found": 1, "tried": [line]})
    assert f"{shown} holds" in text
    assert f"1 replica in each pool keeps {objective}" in text


def test_plots_have_a_unit_on_every_axis_of_figures(report):
    for figure in plots([("this policy", report)]):
        assert figure.layout["yaxis"]["title"]["text"], figure.title
    by_title = {figure.title: figure for figure in plots([("this policy", report)])}
    clock = by_title["Most requests waiting, over time"].layout["xaxis"]["title"]["text"]
    assert clock == "seconds"


def test_times_below_a_second_are_drawn_in_milliseconds(report):
    low = {
        **report,
        "ttft": {**report["ttft"], **dict.fromkeys(("p50", "p90", "p95", "p99"), 0.2)},
        "tiers": {},
    }
    high = {**low, "ttft": dict.fromkeys(("p50", "p90", "p95", "p99"), 2.0)}
    for one, unit, drawn in ((low, "milliseconds", 200.0), (high, "seconds", 2.0)):
        figure = plots([("this policy", one)])[0]
        assert figure.layout["yaxis"]["title"]["text"] == unit
        assert figure.traces[0]["y"] == [drawn] * 4
        ticks = figure.layout["yaxis"]["tickvals"]
        assert min(ticks) <= drawn <= max(ticks)


def test_nothing_served_is_drawn_too(report):
    nobody = {**report, "tiers": {}, "ttft": dict.fromkeys(PERCENTILES)}
    assert "type" not in plots([("this policy", nobody)])[0].layout["yaxis"], "a logarithm of nothing"


def test_a_tier_has_one_colour_under_both_policies_and_another_look(report):
    first = plots([("this policy", report), ("the other policy", report)])[0]
    half = len(first.traces) // 2
    ours, others = first.traces[:half], first.traces[half:]
    assert [one["line"]["color"] for one in ours] == [one["line"]["color"] for one in others]
    assert {one["line"]["dash"] for one in ours} == {"solid"}
    assert {one["line"]["dash"] for one in others} == {"dot"}


def test_both_sides_of_a_table_stand_beside_each_other_and_nothing_is_markup(report):
    from headway.cli.simulate_page import page  # plotly: a third of a second

    hostile = {**report, "tenants": {"<b>acme": next(iter(report["tenants"].values()))}}
    text = page({**hostile, "verdict": "fails", "against": report})
    titles = re.findall(r"<h2>(.*?)</h2>", text)
    at = titles.index("Tiers, this policy")
    assert titles[at + 1] == "Tiers, the other policy"
    assert "A gate fails." in text
    assert "<b>acme" not in text.partition("<script>")[0]
    assert report["inputs"]["digest"] in text
