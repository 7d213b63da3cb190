"""Is a promise told as kept, strained or broken by what happened, and as unknown when little did?"""

from __future__ import annotations

import time

import pytest

from console.mapping.promises import HEIGHT, promises, spark
from coordination.spec import SourceFile, read
from telemetry.live import running
from telemetry.objectives import budget_left
from telemetry.series import rollup
from tests.support.policies import written
from tests.telemetry.batches import batch, series, sketch
from tests.telemetry.live.guests import TimedHub
from tests.telemetry.series.test_keeping import keep

TIERS = {
    "Tier/priority": "spec: {band: 300, queue: {max_wait: 2s}}",
    "Tier/flex": "spec: {band: 100, queue: {max_wait: 60s}}",
    "Tier/quick": """\
spec:
  band: 400
  objectives:
    - {metric: ttft, percentile: 95, target: 400ms}
    - {metric: availability, target: 99.9%}
    - {metric: ttft, target: 1s, uncached_input: {max: 1000}}
    - {metric: deadline, percentile: 99, target: 30s}""",
}


def documents():
    text = "---\n".join(written(key, rest) for key, rest in TIERS.items())
    return read([SourceFile("tiers.yaml", text.encode())])[0].documents


@pytest.fixture
def told(db):
    """``told(series)``: a minute of it, not long ago; the promises since."""

    def of(*told):
        begin = (int(time.time()) // 60 - 10) * 60
        keep(*(batch(number, *told, at=begin + number) for number in range(60)))
        rollup.roll_up(begin + 120)
        return {promise.tier: promise for promise in promises("dev", documents())}

    return of


def test_a_promise_that_held_is_kept(told):
    priority = told(series(requests=2))["priority"]
    assert (priority.word, priority.attainment, priority.budget_left) == ("Kept", 100, 100)
    assert priority.requests == 120
    assert priority.p95_ms == pytest.approx(100, rel=0.03)
    assert priority.says == "Waits 2s at most, answered"


def test_failures_of_ours_and_a_full_house_break_it_and_a_caller_s_own_limit_does_not(told):
    limited = {"rate_limit_exceeded": 5, "invalid_request": 1}
    assert told(series(requests=7, completed=1, refused=limited))["priority"].word == "Kept"


@pytest.mark.parametrize(
    "trouble",
    [
        {"requests": 3, "completed": 2, "failed": 1},
        {"requests": 3, "completed": 2, "refused": {"capacity_exceeded": 1}},
        {"requests": 3, "completed": 3, "queue": sketch(5, 5, 4_000)},
    ],
    ids=["failed", "full", "waited too long"],
)
def test_what_is_ours_breaks_it(told, trouble):
    priority = told(series(**trouble))["priority"]
    assert priority.attainment == pytest.approx(200 / 3)
    assert priority.word == "Broken"


def test_a_tier_s_own_objectives_are_what_it_is_held_to_and_the_worst_is_shown(told):
    """Two of twenty came late: of the five in a hundred that may, twice as many."""
    quick = told(series(tier="quick", requests=20, ttft=sketch(*[100] * 18, 900, 900)))["quick"]
    assert quick.says == "First token within 400ms for 95%"
    assert quick.others == (
        "99.9% answered",
        "First token within 1s for 95%, up to 1,000 uncached input tokens",
        "Done by its deadline (30s where it names none) for 99%",
    )
    assert quick.attainment == pytest.approx(90)
    assert quick.budget_left == pytest.approx(-100)
    assert quick.word == "Broken"


def test_what_speaks_of_a_class_is_counted_among_its_own_requests(told):
    """Twenty of a class of which one was late, among a hundred others that were all quick."""
    counted = {"ttft 1000000us 0..1000 tokens": (1, 2), "ttft 400000us 0..1000 tokens": (0, 9)}
    quick = told(series(tier="quick", requests=20, ttft=sketch(*[100] * 20), objectives=counted))["quick"]
    assert quick.says == "First token within 1s for 95%, up to 1,000 uncached input tokens"
    assert (quick.attainment, quick.given) == (50, 120)
    assert (quick.word, quick.budget_left) == ("Broken", pytest.approx(-900))


def test_deadlines_are_told_by_request(told):
    quick = told(series(tier="quick", requests=20, objectives={"deadline 30000000us": (19, 20)}))["quick"]
    assert quick.says == "Done by its deadline (30s where it names none) for 99%"
    assert quick.attainment == pytest.approx(95)


def test_a_class_of_few_says_too_little_and_hides_nothing(told):
    """A broken promise to all stays the worst beside a class of which one request in a minute was seen."""
    few = {"ttft 1000000us 0..1000 tokens": (0, 0)}
    late = [100] * 18 + [900, 900]
    quick = told(series(tier="quick", requests=20, ttft=sketch(*late), objectives=few))["quick"]
    assert quick.says == "First token within 400ms for 95%"


def test_a_tier_nobody_asked_for_says_nothing(told):
    flex = told(series())["flex"]
    assert (flex.word, flex.attainment, flex.p95_ms, flex.spark) == ("Too few requests", None, None, "")


def test_who_waits_now_is_told_while_a_hub_knows(told):
    assert told(series())["priority"].depth is None
    hub = TimedHub()
    hub.second(series())
    running.set_hub(hub)
    try:
        found = {promise.tier: promise for promise in promises("dev", documents())}
    finally:
        running.set_hub(None)
    assert (found["priority"].depth, found["priority"].oldest_ms) == (2, 7)
    assert (found["flex"].depth, found["flex"].oldest_ms) == (0, None)


def test_a_budget_is_what_may_be_broken():
    assert budget_left(1000, 1000) == 100
    assert budget_left(9995, 10_000) == pytest.approx(50)
    assert budget_left(999, 1000) == pytest.approx(0, abs=1e-6)
    assert budget_left(0, 0) is None


def test_a_spark_leaves_unknown_minutes_out():
    points = [tuple(map(float, each.split(","))) for each in spark([None, 10.0, None, 20.0]).split()]
    assert [x for x, _ in points] == [40.0, 120.0]
    assert points[0][1] > points[1][1] >= 0
    assert max(y for _, y in points) <= HEIGHT
    assert spark([None, None]) == ""
