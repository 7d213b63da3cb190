"""Is a run or session held to what it may use, and does nothing of it get lost? (R7, R17)"""

from __future__ import annotations

import random
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import GuardsRecord, LoopGuardRecord
from coordination.scheduling import activate, run_left
from coordination.scheduling.runs import FORGOTTEN_AFTER, Runs, slowed
from coordination.scheduling.traits import Task
from tests.support.programs import MINUTE, SECOND, START, PolicyBuilder, a_policy, one_pool
from tests.support.virtual_fleet import VirtualFleet

RUN = Task("loop")


def guarded(run: GuardsRecord | None = None, session: GuardsRecord | None = None) -> PolicyBuilder:
    return one_pool("acme", "globex").quota("q", "acme", run=run, session=session)


def fleet_of(policy: PolicyBuilder, output: int = 100) -> VirtualFleet:
    return VirtualFleet(policy.load(), output_of=lambda request: output)


def codes(fleet: VirtualFleet) -> list[str | None]:
    return [one.decision.code for one in fleet.served.values()]


def in_turn(fleet: VirtualFleet, times: int, task: Task = RUN, **more: object) -> VirtualFleet:
    """One after the other, a minute apart."""
    for number in range(times):
        fleet.request(at=number * MINUTE, task=task, max_tokens=100, **more)  # type: ignore[arg-type]
    return fleet.run()


def test_a_policy_without_guards_counts_nothing():
    fleet = in_turn(fleet_of(one_pool()), 1, task=RUN)
    assert not fleet.state.program.counts_runs
    assert fleet_of(guarded(GuardsRecord(steps=1))).state.program.counts_runs
    assert codes(fleet) == [None]


@pytest.mark.parametrize(
    ("guards", "allowed", "says"),
    [
        (GuardsRecord(steps=3), 3, "has made 3 of 3 steps"),
        (GuardsRecord(tokens=3300), 3, "has used 3300 of 3300 tokens"),
        (GuardsRecord(wall_time=2 * MINUTE), 3, "began longer ago than it may last"),
    ],
)
def test_what_is_used_up_refuses_the_next_step_for_good(guards, allowed, says):
    fleet = in_turn(fleet_of(guarded(guards)), 5)
    assert codes(fleet) == [None] * allowed + ["run_budget_exceeded"] * (5 - allowed)
    refused = list(fleet.served.values())[-1].decision
    assert says in refused.message
    assert refused.retry_after_us is None
    assert [step.rule for step in refused.steps][-1] == "R7"


def test_another_run_tenant_or_none_is_not_held_to_it():
    fleet = fleet_of(guarded(GuardsRecord(steps=1)))
    for number, (tenant, task) in enumerate(
        [
            ("acme", RUN),
            ("acme", Task("other")),
            ("globex", RUN),
            ("globex", RUN),
            ("acme", None),
            ("acme", None),
        ]
    ):
        fleet.request(tenant, at=number * SECOND, task=task)
    fleet.run()
    assert codes(fleet) == [None] * 6


def test_a_session_has_guards_of_its_own():
    policy = guarded(run=GuardsRecord(steps=5), session=GuardsRecord(steps=2))
    fleet = in_turn(fleet_of(policy), 3, task=Task("r", "s"))
    assert codes(fleet) == [None, None, "run_budget_exceeded"]
    assert "session" in list(fleet.served.values())[-1].decision.message


def test_branches_in_progress_are_bounded_and_free_again_after():
    fleet = fleet_of(guarded(GuardsRecord(branches=2)))
    for _ in range(3):
        fleet.request(task=RUN)
    fleet.run()
    refused = list(fleet.served.values())[-1].decision
    assert codes(fleet) == [None, None, "run_budget_exceeded"]
    assert refused.retry_after_us is not None
    fleet.request(at=5 * MINUTE, task=RUN)
    fleet.run()
    assert codes(fleet)[-1] is None


def test_the_same_last_call_again_and_again_is_a_loop_and_a_growing_context_is_none():
    guards = GuardsRecord(loop_guard=LoopGuardRecord(3, "refuse"))
    fleet = fleet_of(guarded(guards))
    for number, call in enumerate([7, 7, 7, 8, 7, 7, 7, 7, 0, 0, 0, 0]):
        fleet.request(at=number * MINUTE, prompt=1000 + number, task=Task("loop", call=call))
    fleet.run()
    assert codes(fleet) == [None] * 7 + ["run_loop_suspected"] + [None] * 4
    assert "3 times" not in list(fleet.served.values())[7].decision.message
    assert "4 times in a row" in list(fleet.served.values())[7].decision.message


def test_a_slowed_loop_waits_twice_as_long_each_time_and_half_of_max_wait_at_most():
    policy = one_pool("acme", max_wait=10 * SECOND).quota(
        "q", "acme", run=GuardsRecord(loop_guard=LoopGuardRecord(2, "slow"))
    )
    fleet = in_turn(fleet_of(policy), 7, task=Task("loop", call=7))
    assert codes(fleet) == [None] * 7
    waits = [(one.dispatched or 0) - one.arrived for one in fleet.served.values()]
    assert waits == [0, 0, SECOND, 2 * SECOND, 4 * SECOND, 5 * SECOND, 5 * SECOND]
    assert any("go in a circle" in step.says for step in list(fleet.served.values())[2].decision.steps)


def test_a_slowed_request_survives_a_new_policy_and_may_be_cancelled():
    def policy(weight: float) -> PolicyBuilder:
        return one_pool("acme").quota(
            "q", "acme", weight=weight, run=GuardsRecord(loop_guard=LoopGuardRecord(2, "slow"))
        )

    fleet = in_turn(fleet_of(policy(1)), 2, task=Task("loop", call=7))
    fleet.request(at=2 * MINUTE, task=Task("loop", call=7), request_id="slow")
    fleet.run(until=2 * MINUTE + 1)
    assert fleet.served["slow"].dispatched is None
    activate(fleet.state, policy(2).load(), fleet.now)
    fleet.program = fleet.state.program
    fleet.run()
    assert fleet.served["slow"].finished is not None
    assert (fleet.served["slow"].dispatched or 0) - fleet.served["slow"].arrived == SECOND


def test_headers_tell_what_the_tightest_guards_leave():
    policy = guarded(run=GuardsRecord(steps=5, tokens=10_000), session=GuardsRecord(steps=2))
    fleet = in_turn(fleet_of(policy), 1, task=Task("r", "s"))
    (served,) = fleet.served.values()
    assert run_left(fleet.state.program, fleet.state, served.decision, fleet.now) == (10_000 - 1100, 1)


def test_las_knows_what_a_run_was_served():
    policy = a_policy().model().pool(replicas=1).tier(order="las", max_wait=100 * SECOND).tenant().route()
    fleet = in_turn(fleet_of(policy), 2)
    runs = [one.decision.request.run for one in fleet.served.values()]
    assert [(run.name, run.step, run.attained) for run in runs if run] == [("loop", 1, 0), ("loop", 2, 1400)]


@given(st.integers(0, 2**32), st.integers(1, 40))
@settings(max_examples=40)
def test_tokens_are_conserved_whatever_becomes_of_its_requests(seed, requests):
    """What stands of a run is what its requests used, once they are over: served, refused or cancelled."""
    draw = random.Random(seed)
    fleet = VirtualFleet(
        guarded(GuardsRecord(tokens=60_000, steps=30, branches=6)).load(),
        output_of=lambda request: 1 + hash(request.request_id) % 300,
    )
    for _ in range(requests):
        fleet.request(
            at=draw.randrange(5 * SECOND),
            prompt=draw.randrange(1, 9000),
            max_tokens=draw.choice([None, 50]),
            task=Task("loop", call=draw.randrange(3)),
        )
    fleet.run()
    course = fleet.state.runs.find("acme", "run", "loop")
    assert course is not None
    charges = [one.charge for one in fleet.served.values() if one.charge is not None]
    assert course.open == 0
    assert course.steps == len(charges)
    assert course.tokens == sum(
        c.usage.uncached_input + c.usage.cached_input + c.usage.output for c in charges
    )


def test_the_silent_are_forgotten_and_what_is_in_progress_never():
    runs = Runs(most=2)
    names = (f"r{number}" for number in count())
    (busy,) = runs.courses("acme", Task(next(names)), START).values()
    busy.begin(10, 0, START)
    for _ in range(5):
        runs.courses("acme", Task(next(names)), START)
        assert len(runs) <= 3
    assert runs.find("acme", "run", "r0") is busy
    later = START + FORGOTTEN_AFTER + 1
    assert runs.courses("acme", Task("r0"), later)["run"] is busy
    busy.open = 0
    assert runs.courses("acme", Task("r0"), later)["run"] is not busy


def test_nothing_is_slowed_without_a_guard_that_says_so():
    assert slowed((), {}, 7, SECOND) == 0
