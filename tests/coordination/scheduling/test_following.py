"""What becomes of requests when the replicas behind a name come and go?"""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.index import load
from coordination.program.records import MILLION
from coordination.scheduling import activate, follow, standing
from tests.support.programs import SECOND, a_policy
from tests.support.virtual_fleet import VirtualFleet

A, B, C = "http://10.0.0.1:80", "http://10.0.0.2:80", "http://10.0.0.3:80"


def fleet_of(*found: str, planned: int = 2) -> VirtualFleet:
    policy = a_policy().model().pool(replicas=planned, dns="chat:80").tier(max_wait=600 * SECOND).tenant()
    fleet = VirtualFleet(policy.route().load(), output_of=lambda request: 50)
    follow(fleet.program, fleet.state, "p", found, fleet.now)
    return fleet


def follows(fleet: VirtualFleet, *found: str) -> None:
    follow(fleet.program, fleet.state, "p", found, fleet.now)
    fleet.dispatch_all()


def urls(fleet: VirtualFleet) -> list[str]:
    return [one.url for one in standing(fleet.state, "p")]


def test_nobody_is_sent_to_a_replica_that_was_only_planned():
    fleet = fleet_of()
    fleet.request(request_id="waits")
    fleet.run(until=SECOND)
    assert (urls(fleet), fleet.sent) == ([], [])
    follows(fleet, A)
    fleet.run()
    assert [sent.replica for sent in fleet.sent] == [A]


def test_without_a_resolver_what_is_planned_counts():
    policy = a_policy().model().pool(replicas=2, dns="chat:80").tier().tenant().route()
    fleet = VirtualFleet(policy.load())
    assert urls(fleet) == ["http://p-0", "http://p-1"]


def test_those_that_stay_keep_their_counts_and_their_cache():
    fleet = fleet_of(A, B)
    prompt = tuple(range(1, 41))
    fleet.request(blocks=prompt, prompt=5120)
    fleet.run()
    holder = fleet.sent[0].replica
    (other,) = {A, B} - {holder}
    fleet.request(at=10 * SECOND, prompt=2000, request_id="running")
    fleet.run(until=10 * SECOND)
    running = {one.url: one.running for one in standing(fleet.state, "p")}
    follows(fleet, holder, C)
    assert {one.url: one.running for one in standing(fleet.state, "p")} == {
        holder: running[holder],
        C: 0,
    }
    held = fleet.state.pools["p"]
    assert held.index.depth(prompt, held.by_url[holder].bit) == 40
    assert other not in held.by_url


def test_who_leaves_ends_what_it_has_and_what_waits_for_it_goes_elsewhere():
    fleet = fleet_of(A, B)
    for number in range(40):
        fleet.request(at=number, prompt=20_000, request_id=f"r{number}")
    fleet.run(until=SECOND)
    begun = {sent.request.request_id for sent in fleet.sent}
    assert {sent.replica for sent in fleet.sent} == {A, B}
    follows(fleet, B)
    fleet.run()
    assert all(one.finished for one in fleet.served.values()), "nothing is lost"
    assert {sent.replica for sent in fleet.sent if sent.request.request_id not in begun} == {B}
    (left,) = standing(fleet.state, "p")
    assert (left.url, left.running, left.waiting) == (B, 0, 0)


def test_another_policy_keeps_who_was_found():
    fleet = fleet_of(A, B)
    changed = a_policy().model().pool(replicas=5, dns="chat:80").tier().tenant().route().records()
    activate(fleet.state, load(changed), fleet.now)
    assert urls(fleet) == [A, B]
    by_url = a_policy().model().pool(replicas=2).tier().tenant().route().records()
    activate(fleet.state, load(by_url), fleet.now)
    assert urls(fleet) == ["http://p-0", "http://p-1"]


def test_reservations_hold_for_the_part_of_what_was_planned_that_is_there():
    pool = fleet_of(A, planned=4).state.pools["p"]
    assert pool.left_of(MILLION) == MILLION // 4
    assert pool.left_of(MILLION // 5) == MILLION
    fleet = fleet_of(A, B, C, planned=2)
    assert fleet.state.pools["p"].left_of(MILLION) == MILLION


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sets(st.sampled_from([A, B, C])), min_size=1, max_size=8), st.integers(0, 1000))
def test_whoever_comes_and_goes_every_request_ends_once(answers, seed):
    fleet = fleet_of(A, B, C)
    draw = random.Random(seed)
    for number in range(60):
        at, prompt = draw.randrange(8 * SECOND), draw.randrange(100, 30_000)
        fleet.request(at=at, prompt=prompt, request_id=f"r{number}")
    for turn, found in enumerate(answers):
        fleet.run(until=(turn + 1) * SECOND)
        follows(fleet, *sorted(found))
    follows(fleet, A)
    fleet.run()
    assert all(one.finished for one in fleet.served.values())
    held = fleet.state.pools["p"]
    assert [(one.running, one.waiting) for one in standing(fleet.state, "p")] == [(0, 0)]
    assert (held.ordinary_sequences, held.ordinary_kv, held.waiting) == (0, 0, 0)
