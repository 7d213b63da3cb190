"""Who goes when, and what never happens: idle replicas with work, order of bands, the gate."""

from __future__ import annotations

import random

import pytest

from coordination.program.records import MILLION
from coordination.scheduling import ReplicaReport, observe, set_health
from coordination.scheduling.replicas import GATE_US, STALE_AFTER
from tests.support.programs import MINUTE, SECOND, START, a_policy, one_pool
from tests.support.virtual_fleet import VirtualFleet


def nothing_idles(fleet: VirtualFleet) -> None:
    """Work conservation, up to locality: a request may wait for its home only while that costs at most
    ``release_after`` more than an open replica would (R20)."""
    for pool in fleet.state.pools.values():
        open_mask = pool.open_mask & pool.usable_mask
        if not open_mask or not pool.waiting:
            continue
        for queue in pool.queues:
            for leaf in queue.leaves():
                assert not leaf.rest or len(leaf.homed) == 8, "the first eight of a leaf have a home"
            leaves = [leaf for leaf in queue.leaves() if leaf.homed]
            if not leaves:
                continue
            least = min(leaves, key=lambda leaf: leaf.start).homed[0]
            assert least.home is not None
            assert not least.home.mask & open_mask, "its home is open, yet it waits"
            wait = least.home.backlog_us + least.home.parked_us
            here = min(
                one.backlog_us + one.parked_us for one in pool.replicas.values() if one.mask & open_mask
            )
            release = least.route.record.placement.release_after
            assert wait <= here + pool.prefill_us(least.request.prompt_tokens) + release


@pytest.mark.parametrize("seed", range(4))
def test_no_replica_idles_while_a_request_waits_that_would_take_it(seed):
    policy = a_policy().model().pool(replicas=5, sequences=8).tier("low", band=100).tier("high", band=300)
    policy.tenant("a", weight=1).tenant("b", weight=3).route()
    fleet = VirtualFleet(policy.load(), seed=seed, watch=nothing_idles)
    random_ = random.Random(seed)
    at = 0
    for number in range(400):
        at += random_.randint(1, 40_000)
        conversation = random_.randint(1, 12)
        blocks = (1, *(conversation * 1000 + depth for depth in range(random_.randint(0, 30))))
        fleet.request(
            random_.choice("ab"),
            at=at,
            tier=random_.choice(["low", "high"]),
            prompt=len(blocks) * 128,
            blocks=blocks,
            stickiness=str(conversation),
            request_id=f"r{number}",
        )
    fleet.run()
    assert not fleet.state.tickets
    assert all(one.finished or one.refused for one in fleet.served.values())
    for pool in fleet.state.pools.values():
        assert pool.waiting == pool.ordinary_sequences == pool.ordinary_kv == 0
        for replica in pool.replicas.values():
            assert (replica.backlog_us, replica.parked_us, replica.parked) == (0, 0, 0)
            assert (replica.sequences, replica.kv_tokens) == (0, 0)


def test_a_higher_band_goes_before_a_lower_one_that_came_first():
    policy = a_policy().model().pool(replicas=1).tier("low", band=100).tier("high", band=300)
    fleet = VirtualFleet(policy.tenant().route().load())
    for _ in range(20):
        fleet.request(tier="low", prompt=3000)
    for _ in range(20):
        fleet.request(at=1000, tier="high", prompt=3000)
    fleet.run()
    tiers = [sent.request.tier for sent in fleet.sent]
    started_before_the_high_came = sum(1 for sent in fleet.sent if sent.sent_at < START + 1000)
    assert tiers[started_before_the_high_came:][:20] == ["high"] * 20


def test_the_lane_goes_before_every_band():
    policy = a_policy().model().pool(replicas=1).tier("standard").tier("urgent", band=900)
    policy.tenant("acme").tenant("globex").reservation("r", "globex").route()
    fleet = VirtualFleet(policy.load())
    for _ in range(10):
        fleet.request("acme", tier="urgent", prompt=5000)
    for _ in range(5):
        fleet.request("globex", at=1000, prompt=3000, max_tokens=10)
    fleet.run()
    later = [sent for sent in fleet.sent if sent.sent_at > START]
    assert [sent.decision.reservation for sent in later][:5] == ["used"] * 5


def test_a_replica_takes_more_work_only_while_little_prefill_is_in_flight():
    fleet = VirtualFleet(one_pool(replicas=1).load())
    for _ in range(30):
        fleet.request(prompt=1000)  # 0.1 s of prefill each
    fleet.run(until=1)
    replica = fleet.state.pools["p"].replicas[0]
    assert GATE_US < replica.backlog_us <= GATE_US + 100_000
    assert len(fleet.sent) == 3


def test_a_full_replica_is_closed_until_a_sequence_ends():
    fleet = VirtualFleet(
        a_policy().model().pool(replicas=1, sequences=2).tier().tenant().route().load(), token_us=10_000
    )
    for _ in range(3):
        fleet.request(prompt=10)
    fleet.run(until=500_000)
    assert len(fleet.sent) == 2
    fleet.run()
    assert len(fleet.sent) == 3
    assert fleet.sent[2].queue_us >= 64 * 10_000


def test_other_gateways_work_closes_a_replica_while_the_report_is_fresh():
    program = a_policy().model().pool(replicas=1, sequences=4).tier().tenant().route().load()
    fleet = VirtualFleet(program)
    report = ReplicaReport(at=START, running=4, waiting=0)
    observe(program, fleet.state, "p", "http://p-0", report, START)
    fleet.request(at=1000)
    fleet.run(until=STALE_AFTER)
    assert not fleet.sent
    fleet.request(at=STALE_AFTER + 1000)
    fleet.run(until=STALE_AFTER + 2000)
    assert len(fleet.sent) == 2, "a report older than 3 s is forgotten: own counts decide"


def test_a_report_of_our_own_work_closes_nothing():
    program = a_policy().model().pool(replicas=1, sequences=4).tier().tenant().route().load()
    fleet = VirtualFleet(program)
    for _ in range(2):
        fleet.request(prompt=10)
    fleet.run(until=10_000)
    observe(program, fleet.state, "p", "http://p-0", ReplicaReport(at=START, running=2, waiting=0), fleet.now)
    assert fleet.state.pools["p"].replicas[0].foreign_sequences == 0


def test_reserved_places_are_lent_only_to_requests_that_end_soon():
    """R19: x_r of the sequences stays free of ordinary requests, but for those over within 1 s."""
    policy = a_policy().model().pool(replicas=1, sequences=10).tier().tenant("acme").tenant("globex")
    policy.reservation("half", "globex", input_per_minute=150_000, output_per_minute=15_000).route()
    fleet = VirtualFleet(policy.load(), output_of=lambda request: request.max_tokens or 1)
    assert fleet.program.reservations["half"].share_ppm == MILLION // 2
    for _ in range(10):
        fleet.request("acme", prompt=10, max_tokens=1000)
    fleet.run(until=500_000)
    assert len(fleet.sent) == 5, "half of the ten sequences"
    fleet.request("acme", at=600_000, prompt=10, max_tokens=1)
    fleet.request("globex", at=600_000, prompt=10, max_tokens=1000)
    fleet.run(until=700_000)
    lent, reserved = fleet.sent[5:]
    assert (lent.request.tenant, lent.request.max_tokens) == ("acme", 1), "over within a second: lent"
    assert reserved.request.tenant == "globex", "the long ones still wait"
    fleet.run(until=MINUTE)
    assert fleet.state.pools["p"].ordinary_sequences == 0


def test_the_reserved_lane_keeps_its_promise_under_five_times_the_load_from_others():
    """Every conforming request gets its first byte within G + its own prefill + one opening."""
    policy = a_policy().model().pool(replicas=4).tier(max_wait=20 * SECOND, max_depth=200)
    policy.tenant("acme", weight=1)
    for number in range(5):
        policy.tenant(f"t{number}", weight=10)
    policy.reservation("r", "acme", input_per_minute=600_000, output_per_minute=60_000).route()
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 20)
    random_ = random.Random(5)
    for number in range(5):
        at = 0
        while at < 60 * SECOND:
            at += random_.randint(1, 50_000)  # 40 requests/s each: five times what the fleet serves
            fleet.request(f"t{number}", at=at, prompt=random_.randint(500, 1500))
    for beat in range(500):
        fleet.request("acme", at=beat * 120_000, prompt=1000, max_tokens=50)
    fleet.run()
    promised = [one for one in fleet.served.values() if one.decision.request.tenant == "acme"]
    assert all(one.decision.reservation == "used" for one in promised)
    longest_prefill = 150_000
    bound = GATE_US + longest_prefill + 100_000 + longest_prefill
    late = [one for one in promised if one.first_byte is None or one.ttft > bound]
    assert not late
    others = [one for one in fleet.served.values() if one.decision.request.tenant != "acme"]
    assert any(one.refused for one in others), "the others really were too many"


def test_a_request_leaves_a_busy_home_once_it_costs_more_than_release_after():
    policy = a_policy().model().pool(replicas=2).tier(max_wait=60 * SECOND).tenant()
    fleet = VirtualFleet(policy.route(release_after=500_000).load())
    prompt = tuple(range(40))
    fleet.request(blocks=prompt, prompt=5000, stickiness="s")
    fleet.run(until=600_000)
    for number in range(1, 13):
        tail = tuple(1000 * number + extra for extra in range(1, 11))
        fleet.request(at=700_000, blocks=(*prompt, *tail), prompt=6000)
    fleet.run()
    replicas = [sent.replica for sent in fleet.sent]
    assert replicas.count(fleet.sent[0].replica) > 4, "most stay where their prefix is"
    assert len(set(replicas)) == 2, "but not all wait for it"


def test_requests_wait_for_no_replica_that_cannot_be_chosen_any_more():
    fleet = VirtualFleet(one_pool(replicas=2).load())
    prompt = tuple(range(100))
    for _ in range(6):
        fleet.request(blocks=prompt, prompt=12_800)
    fleet.run(until=1000)
    home = fleet.sent[0].replica
    parked = [one for one in fleet.state.pools["p"].replicas.values() if one.parked]
    assert parked
    set_health(fleet.program, fleet.state, "p", home, False, fleet.now)
    fleet.dispatch_all()
    fleet.run()
    assert {sent.replica for sent in fleet.sent if sent.sent_at > START} == {
        url for url in fleet.program.pools["p"].replicas if url != home
    }


def test_least_outstanding_and_round_robin_do_what_their_names_say():
    fleet = VirtualFleet(
        a_policy().model().pool(replicas=4).tier().tenant().route(strategy="round_robin").load()
    )
    for number in range(8):
        fleet.request(at=number * 10_000, prompt=100, blocks=(1, 2, 3))
    fleet.run()
    assert [sent.replica[-1] for sent in fleet.sent] == list("01230123")
    policy = a_policy().model().pool(replicas=3).tier().tenant().route(strategy="least_outstanding")
    fleet = VirtualFleet(policy.load(), token_us=10_000)
    for number in range(9):
        fleet.request(at=number * 20_000, prompt=100)
    fleet.run(until=190_000)
    counts = [replica.sequences for replica in fleet.state.pools["p"].replicas.values()]
    assert counts == [3, 3, 3]
