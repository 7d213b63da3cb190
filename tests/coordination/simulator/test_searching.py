"""Is one number turned and nothing else, and is the least fleet that keeps a promise found?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.program.index import load
from coordination.simulator import Study, even_mix, simulate
from coordination.simulator.searching import SearchError, find, read_objective, sweep, turned
from tests.coordination.simulator.policies import fleet, patient, records


def study(trace: Path = Path("none.jsonl"), replicas: int = 4) -> Study:
    made = records(patient(fleet(replicas)).tenant("acme"))
    return Study(made, trace, even_mix(load(made)))


def test_each_knob_turns_its_number():
    one = study()
    assert len(turned(one, "replicas", 2).records.pools[0].replicas) == 2
    more = turned(one, "replicas:p", 6).records.pools[0].replicas
    assert more[:4] == one.records.pools[0].replicas
    assert len(set(more)) == 6
    assert [each.speed for each in sweep(one, "speed", [0.5, 2])] == [0.5, 2]
    assert turned(one, "host_tokens", 5000).settings.host_tokens == 5000
    assert turned(one, "release_after", 0.25).records.routes[0].placement.release_after == 250_000
    assert one == study()


@pytest.mark.parametrize(
    ("knob", "value"),
    [
        *(("colour", 1), ("replicas:q", 1), ("speed:p", 1), ("replicas", 0), ("replicas", 1.5)),
        *(("replicas", 513), ("speed", 0), ("host_tokens", -1), ("release_after", -1)),
    ],
)
def test_what_cannot_be_turned_is_told(knob, value):
    with pytest.raises(SearchError, match=r"not|no pool"):
        turned(study(), knob, value)


@pytest.mark.parametrize(
    ("text", "tier", "figure", "statistic", "bound"),
    [
        ("ttft.p95<=2s", None, "ttft", "p95", 2),
        ("priority.itl.p99 <= 80ms", "priority", "itl", "p99", 0.08),
        ("refused<=1%", None, "refused", None, 0.01),
        ("flex.refused <= 2.5 %", "flex", "refused", None, 0.025),
    ],
)
def test_an_objective_is_read(text, tier, figure, statistic, bound):
    found = read_objective(text)
    assert (found.tier, found.figure, found.statistic) == (tier, figure, statistic)
    assert found.bound == pytest.approx(bound)


@pytest.mark.parametrize("text", ["", "ttft<=2s", "ttft.p95<2s", "ttft.p95<=2", "refused<=1", "x.y.p95<=2s "])
def test_what_is_no_objective_is_told(text):
    with pytest.raises(SearchError, match="not like"):
        read_objective(text)


@given(st.integers(1, 512))
def test_the_least_number_is_found_whatever_it_is(least):
    objective = read_objective("ttft.mean<=1s")

    def run(one: Study):
        enough = len(one.records.pools[0].replicas) >= least
        return {"ttft": {"mean": 0.5 if enough else 5.0}}

    found, tried = find(study(replicas=1), "replicas", objective, run)
    assert found == least
    assert len(tried) <= 20


def test_a_promise_no_fleet_keeps_and_one_that_nobody_tested_are_not_found():
    objective = read_objective("gold.ttft.mean<=1s")
    found, tried = find(study(), "replicas", objective, lambda _: {"tiers": {}})
    assert found is None
    assert [number for number, _ in tried] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 512]


def test_more_replicas_keep_a_promise_that_fewer_break(tmp_path):
    described = tmp_path / "storm.json"
    client = {"tenant": "acme", "sessions_per_second": 40, "turns": 1, "prompt_tokens": 4000}
    described.write_text(json.dumps({"requests": 400, "clients": [client]}))
    found, tried = find(study(described), "replicas", read_objective("ttft.p90<=1s"), simulate)
    assert found is not None
    assert found > 1
    values = {number: one["ttft"]["p90"] for number, one in tried}
    assert values[found] <= 1 < values[found - 1]
