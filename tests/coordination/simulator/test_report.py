"""Does a report say what happened, in the keys other tools rely on?"""

from __future__ import annotations

import json

import pytest

from coordination.simulator import compare, interval, report
from coordination.simulator.bounds import Bounds
from coordination.simulator.tally import MOST_WINDOWS, WORST, Timeline
from tests.coordination.simulator.policies import arrival, fleet, patient, program, simulated
from tests.support.programs import SECOND

KEYS = {
    *("requests", "completed", "refused", "simulated_seconds", "ttft", "itl", "e2e", "cache", "imbalance"),
    *("tiers", "tenants", "pools", "replicas", "reservations", "steering", "timeline", "worst", "inputs"),
    *("tokens", "utilisation", "spend", "currency", "share_lag"),
}


def told(**changes):
    policy = fleet(replicas=2).tier("fast", max_wait=SECOND).tier("slow", band=100)
    policy.tenant("acme", tiers=("fast",)).tenant("globex", tiers=("slow", "fast"), default_tier="slow")
    policy.prices(("m", 0, 1000, 100, 4000)).reservation("held", "acme", tier="fast")
    chain = tuple(range(6))
    arrivals = [
        arrival(n, tenant=("acme", "globex")[n % 2], prompt_tokens=3100, blocks=chain, **changes)
        for n in range(60)
    ]
    return report(simulated(program(policy), arrivals), {"digest": "sha256:0"})


def test_the_report_has_the_keys_that_others_rely_on_and_is_json():
    found = told()
    assert found.keys() >= KEYS
    for name in ("ttft", "itl", "e2e"):
        assert found[name].keys() >= {"mean", "p50", "p90", "p99"}
    assert found["cache"].keys() == {"token_hit", "bound_infinite", "bound_shared_lru"}
    assert found["imbalance"].keys() == {"input", "computed"}
    assert found["inputs"] == {"digest": "sha256:0"}
    assert json.loads(json.dumps(found)) == found


def test_the_parts_add_up_to_the_whole():
    found = told()
    assert (found["requests"], found["completed"], found["refused"]) == (60, 60, {})
    for groups in ("tiers", "tenants", "pools"):
        parts = found[groups].values()
        assert sum(one["requests"] for one in parts) == 60
        assert sum(one["completed"] for one in parts) == 60
    assert sum(one["cost_share"] for one in found["tenants"].values()) == pytest.approx(1, abs=1e-5)
    assert set(found["tiers"]) == {"fast", "slow"}
    assert sum(one["output_tokens"] for one in found["replicas"]) == 60 * 20
    computed = sum(one["computed_tokens"] for one in found["replicas"])
    assert found["cache"]["token_hit"] == pytest.approx(1 - computed / (60 * 3100), abs=1e-6)
    assert found["cache"]["token_hit"] <= found["cache"]["bound_infinite"]
    assert sum(found["timeline"]["arrived"]) == 60
    acme = found["tenants"]["acme"]
    tokens = acme["tokens"]
    spend = tokens["uncached_input"] * 1000 + tokens["cached_input"] * 100 + tokens["output"] * 4000
    assert acme["spend"] == pytest.approx(spend / 1e9, abs=1e-6)
    held = found["reservations"]["held"]
    assert held["used"] + held["spilled"] == 30


def test_the_worst_requests_come_with_their_explanation():
    worst = told()["worst"]
    assert len(worst) == WORST
    assert [one["ttft"] for one in worst] == sorted((one["ttft"] for one in worst), reverse=True)
    assert worst[0]["dispatch"]["candidates"]
    assert [step["rule"] for step in worst[0]["steps"]][:2] == ["R1", "R4"]


def test_each_replicas_latencies_are_those_of_what_it_answered():
    found = told()
    busiest = max(found["replicas"], key=lambda one: one["output_tokens"])
    for name in ("ttft", "itl", "e2e"):
        assert busiest[name].keys() == found[name].keys()
        assert busiest[name]["p50"] > 0
    assert max(one["ttft"]["p99"] for one in found["replicas"]) == found["ttft"]["p99"]
    assert found["spend"] == pytest.approx(sum(one["spend"] for one in found["tenants"].values()), abs=2e-6)
    assert 0 < found["utilisation"] <= 1


def shared(*tenants: str):
    """Everybody at once on one replica, in one tier; the last tenant has three times the weight."""
    policy = fleet(replicas=1).tier("only", max_wait=3600 * SECOND)
    for name in ("acme", "globex"):
        policy.tenant(name).quota(f"q-{name}", name, weight=3 if name == "globex" else 1)
    arrivals = [
        arrival(n / 100, tenant=tenants[n % len(tenants)], session=n, prompt_tokens=6000, output_tokens=50)
        for n in range(80)
    ]
    return report(simulated(program(policy), arrivals), {})


def test_the_worst_share_lag_is_between_two_that_waited_and_within_its_bound():
    lag = shared("acme", "globex")["share_lag"]
    assert {lag["ahead"], lag["behind"]} == {"acme", "globex"}
    assert 1000 < lag["tokens"] <= lag["bound"]
    assert lag["pool"] == "p"
    assert lag["at_seconds"] >= 0


def test_a_tenant_alone_is_ahead_of_nobody():
    assert shared("acme")["share_lag"] is None


def test_refusals_are_counted_by_code():
    found = told(service_tier="fast")
    assert found["refused"] == {}
    found = told(service_tier="slow")
    assert found["refused"] == {"tier_not_entitled": 30}
    found = told(model="unheard-of")
    assert found["refused"] == {"model_not_found": 60}
    assert found["ttft"]["mean"] is None


def test_an_empty_simulation_still_has_a_report():
    found = report(simulated(program(patient(fleet()).tenant("acme")), []), {})
    assert (found["requests"], found["simulated_seconds"]) == (0, 0)
    assert found["imbalance"] == {"input": 1.0, "computed": 1.0}


def test_a_time_line_never_has_more_windows_than_can_be_read():
    line = Timeline(start=100)
    for second in range(0, 10_000, 7):
        line.at(100 + second * SECOND).arrived += 1
    assert len(line.windows) <= MOST_WINDOWS
    assert sum(window.arrived for window in line.windows) == len(range(0, 10_000, 7))
    assert line.length_us * len(line.windows) >= 9_993 * SECOND


def test_the_bounds_are_those_of_an_endless_and_of_a_shared_cache():
    bounds = Bounds(shared_blocks=4)
    for chain in ([1, 2, 3], [1, 2, 9], [7, 8], [1, 2, 3]):
        bounds.arrived(len(chain) * 512 + 10, chain)
    # The fourth finds three blocks in the endless cache; of the shared four, its leaf has left.
    assert bounds.endless == (2 + 3) * 512
    assert bounds.shared == (2 + 2) * 512
    assert bounds.shares()[0] > bounds.shares()[1]


def test_an_interval_is_students_and_needs_two_values():
    assert interval([3.0]) == (3.0, None)
    assert interval([1.0, 2.0, 3.0]) == pytest.approx((2.0, 4.303 / 3**0.5))
    assert interval([5.0] * 40)[1] == 0


def test_a_difference_is_certain_when_its_interval_leaves_zero_out():
    reports = [
        [dict(told(), ttft={**told()["ttft"], "mean": mean}) for mean in means]
        for means in ((1.0, 1.1), (2.0, 2.1))
    ]
    difference = compare(*reports)
    assert difference["ttft.mean"]["difference"] == 1.0
    assert difference["ttft.mean"]["certain"] is True
    assert difference["completed"]["certain"] is False
    assert compare(reports[0][:1], reports[1][:1])["ttft.mean"]["certain"] is None
