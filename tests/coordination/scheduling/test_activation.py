"""A new policy takes over: what survives, what is clipped, and what is let go (R3)."""

from __future__ import annotations

from coordination.scheduling import Switch, activate
from coordination.scheduling.switching import PIECES
from tests.support.programs import SECOND, START, PolicyBuilder, a_policy, limit, one_pool
from tests.support.virtual_fleet import VirtualFleet


def switch(fleet: VirtualFleet, program: object) -> None:
    fleet.program = program  # type: ignore[assignment]
    activate(fleet.state, fleet.program, fleet.now)
    fleet.dispatch_all()


def test_levels_survive_and_are_clipped_to_the_new_burst():
    fleet = VirtualFleet(one_pool().quota("q", "acme", limit("requests", "1m", 100)).load())
    for _ in range(50):
        fleet.request(prompt=1)
    fleet.run(until=0)
    meter = fleet.state.meters["quota", "q", "requests", "1m"]
    switch(fleet, one_pool().quota("q", "acme", limit("requests", "1m", 200)).load())
    assert meter.remaining(fleet.now) == 150
    switch(fleet, one_pool().quota("q", "acme", limit("requests", "1m", 20)).load())
    assert meter.remaining(fleet.now) == 0
    refused = fleet.request(at=1)
    fleet.run(until=1)
    assert fleet.served[refused.request_id].decision.code == "rate_limit_exceeded"


def test_a_reservations_level_survives_too():
    def policy(rate: int) -> object:
        return one_pool().reservation("r", "acme", input_per_minute=rate, output_per_minute=60_000).load()

    fleet = VirtualFleet(policy(60_000))  # type: ignore[arg-type]
    fleet.request(prompt=8000, max_tokens=1)
    fleet.run(until=0)
    before = fleet.state.lanes["r"].input.remaining(fleet.now)
    switch(fleet, policy(120_000))
    after = fleet.state.lanes["r"].input.remaining(fleet.now)
    assert after - before == 10_000 * 1_000_000


def test_waiting_requests_keep_their_order_and_replicas_keep_their_caches():
    fleet = VirtualFleet(one_pool(replicas=2).load())
    for number in range(20):
        fleet.request(
            prompt=5000, blocks=tuple(range(number * 50, number * 50 + 39)), request_id=f"r{number}"
        )
    fleet.run(until=100)
    blocks = len(fleet.state.pools["p"].index)
    switch(fleet, one_pool(replicas=3).load())
    assert len(fleet.state.pools["p"].index) >= blocks
    fleet.run()
    order = [int(sent.request.request_id[1:]) for sent in fleet.sent]
    assert max(abs(place - number) for place, number in enumerate(order)) <= 8, "but for homes (K = 8)"
    assert {sent.replica for sent in fleet.sent} == {f"http://p-{number}" for number in range(3)}


def test_a_replica_that_is_dropped_gets_nothing_new_and_its_requests_settle():
    fleet = VirtualFleet(one_pool(replicas=3).load())
    for _ in range(12):
        fleet.request(prompt=3000)
    fleet.run(until=100)
    seen = len(fleet.sent)
    assert any(sent.replica == "http://p-2" for sent in fleet.sent)
    switch(fleet, one_pool(replicas=2).load())
    fleet.run()
    assert "http://p-2" not in {sent.replica for sent in fleet.sent[seen:]}
    assert all(one.finished for one in fleet.served.values())
    assert set(fleet.state.pools["p"].by_url) == {"http://p-0", "http://p-1"}


def test_a_request_whose_pool_vanished_is_refused_at_once():
    policy = a_policy().model().pool("p", replicas=1).tier().tenant().route("all", "p")
    fleet = VirtualFleet(policy.load())
    for _ in range(10):
        fleet.request(prompt=9000)
    fleet.run(until=100)
    other = a_policy().model().pool("q", replicas=1).tier().tenant().route("all", "q").load()
    switch(fleet, other)
    fleet.run(until=SECOND)
    refused = [one for one in fleet.served.values() if one.refused]
    assert len(refused) == 10 - len(fleet.sent)
    assert all(one.refused is not None and one.refused < START + 200 for one in refused)
    fleet.run()
    assert all(one.finished or one.refused for one in fleet.served.values())


def test_a_tenant_that_gains_a_child_keeps_its_waiting_requests():
    fleet = VirtualFleet(one_pool("acme", replicas=1).load())
    for _ in range(15):
        fleet.request(prompt=4000)
    fleet.run(until=100)
    switch(fleet, one_pool("acme", "acme/search", replicas=1).load())
    for _ in range(5):
        fleet.request("acme/search", at=200, prompt=4000)
    fleet.run()
    assert all(one.finished for one in fleet.served.values())
    queue = fleet.state.pools["p"].queue(200)
    assert {leaf.name for leaf in queue.leaves()} == {"acme", "acme/", "acme/search"}
    assert queue.root.backlog == queue.depth == 0


def test_a_new_weight_applies_to_later_charges():
    fleet = VirtualFleet(one_pool("a", "b").quota("w", "a", weight=1).load())
    fleet.request("a")
    fleet.run()
    leaf = fleet.state.pools["p"].queue(200).leaf(("a",))
    first = leaf.start
    switch(fleet, one_pool("a", "b").quota("w", "a", weight=2).load())
    fleet.request("a", at=5 * SECOND)
    fleet.run()
    assert leaf.start - first == first // 2


def test_a_switch_in_steps_comes_to_the_same_and_decides_by_the_new_policy_from_the_first():
    names = [f"t{number:03d}" for number in range(200)]

    def policy(size: int, route: str) -> PolicyBuilder:
        made = a_policy().model().pool().tier().route(route)
        for name in names:
            made.tenant(name).quota(f"q-{name}", name, limit("requests", "1m", size))
        return made

    fleets = [VirtualFleet(policy(100, "old").load()) for _ in range(2)]
    for fleet in fleets:
        for name in names:
            fleet.request(name, prompt=1)
        fleet.run(until=0)
    stepped, whole = fleets
    following = policy(300, "new").load()
    activate(whole.state, policy(300, "new").load(), whole.now)
    switch_ = Switch(stepped.state, following, stepped.now)
    stepped.program = following
    first = stepped.request("t199", prompt=1)
    stepped.run(until=0)
    assert stepped.served[first.request_id].decision.route == "new"
    sized = [meter.remaining(stepped.now) for meter in stepped.state.meters.values()]
    assert set(sized) == {98, 99}
    steps = 1
    while switch_.step(stepped.now):
        steps += 1
    assert steps > 200 // PIECES
    assert [meter.remaining(stepped.now) for meter in stepped.state.meters.values()] == [
        meter.remaining(whole.now) - (key == ("quota", "q-t199", "requests", "1m"))
        for key, meter in whole.state.meters.items()
    ]
    assert not switch_.step(stepped.now)
