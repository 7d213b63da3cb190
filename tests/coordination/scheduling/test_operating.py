"""What an operator does: set a replica aside, wait until it is drained, hold requests while a pool wakes."""

from __future__ import annotations

from coordination.scheduling import set_health, standing, wake
from tests.support.programs import SECOND, START, a_policy, one_pool
from tests.support.virtual_fleet import VirtualFleet


def test_a_replica_that_is_set_aside_drains_and_then_says_so():
    fleet = VirtualFleet(one_pool(replicas=2).load(), output_of=lambda request: 100)
    for number in range(30):
        fleet.request(at=number * 20_000, prompt=1000)
    fleet.run(until=400_000)
    busy, _ = standing(fleet.state, "p")
    assert (busy.url, busy.health, busy.drained) == ("http://p-0", "healthy", False)
    assert busy.running > 0
    set_health(fleet.program, fleet.state, "p", "http://p-0", False, fleet.now)
    aside, other = standing(fleet.state, "p")
    assert (aside.health, aside.waiting, aside.drained) == ("cordoned", 0, False)
    before = len(fleet.sent)
    fleet.run()
    assert {sent.replica for sent in fleet.sent[before:]} == {"http://p-1"}
    assert all(one.finished for one in fleet.served.values()), "nothing is cut off"
    drained, other = standing(fleet.state, "p")
    assert (drained.drained, other.drained) == (True, False)
    assert standing(fleet.state, "nowhere") == []


def asleep(**tier: int) -> VirtualFleet:
    fleet = VirtualFleet(a_policy().model().pool(replicas=2).tier(**tier).tenant().route().load())  # type: ignore[arg-type]
    for url in fleet.program.pools["p"].replicas:
        set_health(fleet.program, fleet.state, "p", url, False, fleet.now)
    return fleet


def up(fleet: VirtualFleet) -> None:
    for url in fleet.program.pools["p"].replicas:
        set_health(fleet.program, fleet.state, "p", url, True, fleet.now)
    fleet.dispatch_all()


def test_requests_are_held_while_a_pool_wakes():
    fleet = asleep(max_wait=SECOND)
    fleet.request(request_id="waits")
    fleet.run(until=500_000)
    wake(fleet.program, fleet.state, "p", START + 20 * SECOND, fleet.now)
    fleet.request(at=2 * SECOND, request_id="comes")
    fleet.request(at=2 * SECOND, request_id="hurries", deadline=START + 5 * SECOND)
    fleet.run(until=15 * SECOND)
    assert fleet.served["hurries"].decision.code == "deadline_unmeetable"
    up(fleet)
    fleet.run()
    assert fleet.served["waits"].finished
    assert fleet.served["comes"].finished


def test_a_pool_that_does_not_wake_in_time_refuses_as_ever():
    fleet = asleep(max_wait=SECOND)
    wake(fleet.program, fleet.state, "p", START + 5 * SECOND, fleet.now)
    fleet.request(request_id="held")
    fleet.request(at=6 * SECOND, request_id="later")
    fleet.run()
    held, later = fleet.served["held"], fleet.served["later"]
    assert (held.refused, later.refused) == (START + 5 * SECOND, START + 7 * SECOND)
    assert held.decision.code == later.decision.code == "capacity_exceeded"
