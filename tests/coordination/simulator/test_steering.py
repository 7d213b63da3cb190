"""What routes do beside sending requests, in virtual time: second attempts, canaries; what is left out."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from coordination.program.index import load
from coordination.program.records import MILLION, GuardRecord
from coordination.simulator import report
from tests.coordination.simulator.policies import arrival, fleet, patient, program, records, simulated
from tests.support.programs import MINUTE, SECOND, a_policy

LONG, SHORT = 60_000, 200


def hedging(after: int, most: int = MILLION, replicas: int = 2):
    capacity: dict[str, Any] = {
        "input_per_minute": 2_100_000,
        "output_per_minute": 400_000,
        "kv_tokens": 430_080,
    }
    policy = a_policy().model().pool(replicas=replicas, **capacity)
    return program(patient(policy.route(hedging=(after, most))).tenant("acme"))


def idle(run) -> bool:
    state = run.state
    return all(
        (one.sequences, one.kv_tokens, one.backlog_us) == (0, 0, 0)
        for pool in state.pools.values()
        for one in pool.replicas.values()
    )


def test_a_request_with_a_late_first_byte_is_tried_twice_and_served_once():
    arrivals = [arrival(0.0, prompt_tokens=LONG, output_tokens=5), arrival(30.0, prompt_tokens=SHORT)]
    run = simulated(hedging(SECOND // 10), arrivals)
    found = report(run, {})
    assert (found["requests"], found["completed"]) == (2, 2)
    assert found["steering"]["hedging"] == {"all": {"requests": 2, "second_attempts": 1, "won": 0}}
    assert found["tokens"]["output"] == 25
    assert idle(run)


def test_nothing_is_tried_twice_when_first_bytes_come_in_time():
    arrivals = [arrival(number, prompt_tokens=SHORT) for number in range(20)]
    found = report(simulated(hedging(5 * SECOND), arrivals), {})
    assert found["steering"]["hedging"]["all"] == {"requests": 20, "second_attempts": 0, "won": 0}


def test_a_storm_of_late_first_bytes_stays_within_the_routes_share_and_loses_nobody():
    arrivals = [
        arrival(number / 20, prompt_tokens=2000 + number % 5 * 4000, output_tokens=10, session=number)
        for number in range(200)
    ]
    run = simulated(hedging(SECOND // 10, most=MILLION // 5, replicas=4), arrivals)
    found = report(run, {})
    account = found["steering"]["hedging"]["all"]
    assert found["completed"] == 200
    assert 0 < account["second_attempts"] <= 40
    assert idle(run)


def test_a_first_byte_that_never_comes_in_time_is_given_up_with_both_attempts():
    made = patient(
        a_policy()
        .model()
        .pool(replicas=2, input_per_minute=2_100_000, kv_tokens=430_080)
        .route(hedging=(SECOND // 10, MILLION), attempts=0)
    ).tenant("acme")
    policy = records(made)
    (route,) = policy.routes
    for timeouts in ({"first_byte": SECOND}, {"total": SECOND}):
        late = msgspec.structs.replace(route, timeouts=msgspec.structs.replace(route.timeouts, **timeouts))
        run = simulated(
            load(msgspec.structs.replace(policy, routes=(late,))), [arrival(0.0, prompt_tokens=100_000)]
        )
        assert report(run, {})["refused"] == {"upstream_timeout": 1}
        assert idle(run)
        assert run.live == 0


@pytest.mark.parametrize(("slower", "given_up"), [(500_000, True), (10_000_000, False)])
def test_a_canary_on_slower_machines_is_given_up_by_its_guard(slower: int, given_up: bool):
    guard = GuardRecord(errors_ppm=20_000, slower_ppm=slower, over=5 * MINUTE)
    policy = (
        patient(a_policy().model())
        .pool("stable", replicas=2, input_per_minute=2_100_000, output_per_minute=400_000, kv_tokens=430_080)
        .pool("canary", replicas=1, input_per_minute=2_100_000, output_per_minute=400_000, kv_tokens=430_080)
        .tenant("acme")
        .route("all", ("stable", 1), ("canary", 1), guards={"canary": guard})
    )
    made = records(policy)
    pools = tuple(
        msgspec.structs.replace(pool, profile="llama-3-70b-h100-tp4") if pool.name == "canary" else pool
        for pool in made.pools
    )
    arrivals = [arrival(number, prompt_tokens=4000, session=number) for number in range(300)]
    found = report(simulated(load(msgspec.structs.replace(made, pools=pools)), arrivals), {})
    assert [one["pool"] for one in found["steering"]["canaries_given_up"]] == ["canary"] * given_up
    assert found["completed"] == 300
    assert (found["pools"]["canary"]["requests"] < 100) == given_up


def test_copies_are_not_simulated_and_the_report_says_so():
    policy = patient(a_policy().model().pool("p").pool("shadow")).tenant("acme")
    made = program(policy.route("all", ("p", 1), ("shadow", 0), mirrors={"shadow": MILLION}))
    found = report(simulated(made, [arrival(0.0)]), {})
    assert found["steering"]["not_simulated"] == [
        "copies of route all to pool shadow: they would load its replicas"
    ]
    assert found["pools"]["shadow"]["requests"] == 0


def test_a_policy_without_any_of_it_says_nothing():
    found = report(simulated(program(patient(fleet()).tenant("acme")), [arrival(0.0)]), {})
    assert found["steering"] == {"hedging": {}, "canaries_given_up": [], "not_simulated": []}
