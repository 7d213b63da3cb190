"""What a tenant's requests may occupy of a pool: who is beyond it stands aside, and nobody waits for that."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION, CapsRecord
from coordination.scheduling import activate, levels
from coordination.scheduling.decisions import IN_FLIGHT
from tests.support.programs import SECOND, START, PolicyBuilder, a_policy
from tests.support.virtual_fleet import VirtualFleet


def capped(
    sequences: int | None = 2, *, sequences_each: int = 8, max_wait: int = 60 * SECOND, **more: object
) -> PolicyBuilder:
    """Two replicas; acme may run so many in a pool, globex as many as there is room for."""
    policy = a_policy().model().pool(replicas=2, sequences=sequences_each).tier(max_wait=max_wait)
    policy.tier("high", band=300, max_wait=max_wait).tenant("acme").tenant("acme/x").tenant("globex")
    return policy.quota("q", "acme", caps=CapsRecord(sequences=sequences, **more)).route()  # type: ignore[arg-type]


def fleet_of(policy: PolicyBuilder, output: int = 100) -> VirtualFleet:
    return VirtualFleet(policy.load(), output_of=lambda request: output)


def running(fleet: VirtualFleet, tenant: str) -> int:
    return sum(
        sent.ticket.status == IN_FLIGHT and f"{sent.request.tenant}/".startswith(f"{tenant}/")
        for sent in fleet.sent
    )


def test_who_is_beyond_the_cap_stands_aside_and_others_go_on():
    fleet = fleet_of(capped())
    for _ in range(6):
        fleet.request("acme", prompt=10)
    for _ in range(4):
        fleet.request("globex", at=1, prompt=10)
    fleet.run(until=SECOND // 10)
    assert (running(fleet, "acme"), running(fleet, "globex")) == (2, 4)
    (cap,) = levels(fleet.state, "acme", fleet.now).caps
    assert (cap.pool, cap.of, cap.used, cap.limit, cap.aside) == ("p", "sequences", 2, 2, 4)
    told = [step.says for step in fleet.served["req3"].decision.steps]
    assert any(
        "of the sequences that quota q may occupy in pool p, 2 of 2 are taken" in says for says in told
    )
    fleet.run()
    assert all(one.finished for one in fleet.served.values())
    assert [one.request.request_id for one in fleet.sent if one.request.tenant == "acme"] == [
        f"req{n}" for n in range(1, 7)
    ], "in the order they came"
    (cap,) = levels(fleet.state, "acme", fleet.now).caps
    assert (cap.used, cap.aside) == (0, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_whatever_comes_the_cap_holds_nobody_stands_aside_in_vain_and_all_are_served(seed):
    random_ = random.Random(seed)
    policy = capped(3, sequences_each=4, kv_share_ppm=MILLION // 2)
    policy.quota("child", "acme/x", caps=CapsRecord(sequences=2))
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 1 + request.prompt_tokens % 90)

    def watch(fleet: VirtualFleet) -> None:
        assert running(fleet, "acme") <= 3
        assert running(fleet, "acme/x") <= 2
        for cap in levels(fleet.state, "acme", fleet.now).caps:
            assert cap.used or not cap.aside, "nobody stands aside for what nobody holds"
            assert cap.of != "sequences" or not cap.aside or cap.used == cap.limit

    fleet.watch = watch
    for _ in range(60):
        fleet.request(
            random_.choice(["acme", "acme/x", "acme/x", "globex"]),
            at=random_.randint(0, 2 * SECOND),
            prompt=random_.choice([10, 100, 2000]),
            tier=random_.choice(["standard", "high"]),
            max_tokens=100,
        )
    fleet.run()
    assert all(one.finished for one in fleet.served.values())
    assert all((cap.used, cap.aside) == (0, 0) for cap in levels(fleet.state, "acme", fleet.now).caps)


def test_a_part_of_the_memory_of_a_pool():
    """A tenth of 800,000 tokens: two of 30,000 and what is held for their answers, not three."""
    fleet = fleet_of(capped(None, kv_share_ppm=MILLION // 10))
    for _ in range(3):
        fleet.request("acme", prompt=30_000, max_tokens=100)
    fleet.request("globex", at=1, prompt=10)
    fleet.run(until=31 * SECOND // 10)
    assert (running(fleet, "acme"), running(fleet, "globex")) == (2, 1)
    fleet.run()
    assert all(one.finished for one in fleet.served.values())


def test_a_request_larger_than_the_cap_goes_alone():
    fleet = fleet_of(capped(None, kv_share_ppm=1000))
    for _ in range(2):
        fleet.request("acme", prompt=5000)
    fleet.run(until=SECOND)
    assert running(fleet, "acme") == 1
    fleet.run()
    assert all(one.finished for one in fleet.served.values())


def test_a_waiting_request_of_a_lower_band_steps_back_for_a_higher_one():
    fleet = fleet_of(capped(1, sequences_each=1))
    for _ in range(2):  # the pool is full
        fleet.request("globex", prompt=10)
    fleet.request("acme", at=1, prompt=10, request_id="low")
    fleet.request("acme", at=2, prompt=10, tier="high", request_id="high")
    fleet.run()
    order = [sent.request.request_id for sent in fleet.sent]
    assert order.index("high") < order.index("low")


def test_a_running_request_steps_back_for_nobody():
    fleet = fleet_of(capped(1))
    fleet.request("acme", prompt=10, request_id="low")
    fleet.request("acme", at=2000, prompt=10, tier="high", request_id="high")
    fleet.run(until=SECOND // 10)
    assert running(fleet, "acme") == 1
    fleet.run()
    low, high = fleet.served["low"], fleet.served["high"]
    assert high.dispatched == low.finished


def test_who_stands_aside_for_too_long_is_refused_as_beyond_their_own_limit():
    fleet = fleet_of(capped(1, max_wait=SECOND // 2), output=1000)
    for _ in range(2):
        fleet.request("acme", prompt=10)
    fleet.run()
    refused = fleet.served["req2"].decision
    assert (refused.verdict, refused.code) == ("refuse", "concurrency_exceeded")
    assert refused.retry_after_us is not None
    assert all((cap.used, cap.aside) == (0, 0) for cap in levels(fleet.state, "acme", fleet.now).caps)
    assert fleet.state.pools["p"].held_bytes == 0


def test_who_leaves_while_standing_aside_leaves_nothing_behind():
    fleet = fleet_of(capped(1))
    for name in ("first", "second", "third"):
        fleet.request("acme", prompt=10, size=500, request_id=name)
    fleet.run(until=SECOND // 10)
    assert fleet.state.pools["p"].held_bytes == 1000
    assert fleet.leave("second")
    assert fleet.state.pools["p"].held_bytes == 500
    fleet.run()
    assert fleet.served["third"].finished
    assert [sent.request.request_id for sent in fleet.sent] == ["first", "third"]


def test_no_more_stand_aside_than_may_wait():
    policy = a_policy().model().pool(replicas=2).tier(max_depth=3).tenant("acme")
    fleet = fleet_of(policy.quota("q", "acme", caps=CapsRecord(sequences=1)).route())
    for _ in range(6):
        fleet.request("acme", prompt=10)
    fleet.run(until=1)
    codes = [one.decision.code for one in fleet.served.values()]
    assert codes == [None] * 4 + ["concurrency_exceeded"] * 2


def test_what_is_reserved_does_not_count():
    fleet = fleet_of(capped(1).reservation("r", "acme", input_per_minute=60_000, output_per_minute=60_000))
    for _ in range(4):
        fleet.request("acme", prompt=10, max_tokens=100)
    fleet.run(until=SECOND // 10)
    assert running(fleet, "acme") == 4
    assert not levels(fleet.state, "acme", fleet.now).caps


def test_a_policy_that_allows_more_lets_in_who_stands_aside():
    fleet = fleet_of(capped(1))
    for _ in range(4):
        fleet.request("acme", prompt=10)
    fleet.run(until=SECOND // 10)
    assert running(fleet, "acme") == 1
    fleet.program = capped(3).load()
    activate(fleet.state, fleet.program, fleet.now)
    fleet.dispatch_all()
    assert running(fleet, "acme") == 3
    fleet.program = capped(None).load()
    activate(fleet.state, fleet.program, fleet.now)
    fleet.dispatch_all()
    assert running(fleet, "acme") == 4
    fleet.run()
    assert all(one.finished for one in fleet.served.values())


def test_bytes_are_refused_beyond_their_cap_and_free_again_after():
    fleet = fleet_of(capped(None, bytes=1000))
    for at in (0, 1, 2):
        fleet.request("acme", at=at, prompt=10, size=500)
    fleet.request("acme", at=5 * SECOND, prompt=10, size=900)
    fleet.run()
    assert [one.decision.code for one in fleet.served.values()] == [None, None, "concurrency_exceeded", None]
    (cap,) = levels(fleet.state, "acme", START).caps
    assert (cap.of, cap.used, cap.limit) == ("bytes", 0, 1000)
