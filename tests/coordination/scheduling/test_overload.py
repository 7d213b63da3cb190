"""Who goes when there is no place to wait: the order of R18, and everything given back."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling.waiting import HELD_BYTES
from tests.support.programs import MINUTE, SECOND, PolicyBuilder, a_policy, limit
from tests.support.virtual_fleet import VirtualFleet

LARGE = HELD_BYTES // 8


def two_bands(**reservation: int) -> PolicyBuilder:
    policy = a_policy().model().pool(replicas=1)
    policy.tier("standard", max_wait=3600 * SECOND, max_depth=20, overflow_to="queue")
    policy.tier("flex", band=100, max_wait=3600 * SECOND, max_depth=20, overflow_to="queue")
    policy.tenant("heavy", weight=1).tenant("light", weight=1).tenant("favoured", weight=8)
    if reservation:
        policy.tenant("holder").reservation("r", "holder", **reservation)  # type: ignore[arg-type]
    return policy.route()


def blocked(policy: PolicyBuilder) -> VirtualFleet:
    """A fleet whose only replica is busy for a long time."""
    fleet = VirtualFleet(policy.load())
    fleet.request("heavy", prompt=100_000, request_id="busy")
    fleet.run(until=1)
    return fleet


def refused(fleet: VirtualFleet) -> list[str]:
    return [name for name, one in fleet.served.items() if one.decision.code == "capacity_exceeded"]


def test_for_a_place_the_newest_of_the_heaviest_tenant_of_the_same_band_goes():
    fleet = blocked(two_bands())
    for number in range(12):
        fleet.request("heavy", at=10 + number, request_id=f"h{number}")
    for number in range(8):
        fleet.request("favoured", at=30 + number, request_id=f"f{number}")
    for number in range(3):
        fleet.request("light", at=50 + number, request_id=f"l{number}")
    fleet.run(until=100)
    assert refused(fleet) == ["h9", "h10", "h11"]
    assert fleet.state.pools["p"].queue(200).depth == 20


def test_who_would_be_the_worst_is_refused_itself():
    fleet = blocked(two_bands())
    for number in range(22):
        fleet.request("heavy", at=10 + number, request_id=f"h{number}")
    fleet.run(until=100)
    assert refused(fleet) == ["h20", "h21"]
    assert fleet.served["h21"].decision.retry_after_us


def test_a_full_band_takes_no_place_from_another():
    fleet = blocked(two_bands())
    for number in range(20):
        fleet.request("heavy", at=10 + number, tier="flex", request_id=f"x{number}")
    for number in range(21):
        fleet.request("heavy", at=50 + number, request_id=f"h{number}")
    fleet.run(until=100)
    assert refused(fleet) == ["h20"]


def test_for_memory_the_lowest_band_goes_first_and_the_lane_never():
    fleet = blocked(two_bands(input_per_minute=60_000, output_per_minute=6_000))
    for number in range(3):
        fleet.request("holder", at=10 + number, size=LARGE, max_tokens=1, request_id=f"r{number}")
    fleet.request("heavy", at=20, tier="flex", size=LARGE, request_id="x0")
    fleet.request("light", at=21, tier="flex", size=LARGE, request_id="x1")
    for number in range(5):
        fleet.request("light", at=30 + number, size=LARGE, request_id=f"s{number}")
    fleet.run(until=100)
    pool = fleet.state.pools["p"]
    assert fleet.served["r2"].decision.reservation == "used"
    assert refused(fleet) == ["x0", "x1"], "three of the lane and five of standard are eight"
    fleet.request("heavy", at=200, size=LARGE, request_id="one-more")
    fleet.request("heavy", at=201, tier="flex", size=LARGE, request_id="lower")
    fleet.run(until=300)
    assert refused(fleet) == ["x0", "x1", "s4", "lower"], "the heaviest of standard; flex is the worst itself"
    assert pool.held_bytes == HELD_BYTES
    assert pool.lane.depth == 3


def test_who_asks_for_no_memory_is_not_measured_by_it():
    fleet = blocked(two_bands())
    for number in range(8):
        fleet.request("heavy", at=10 + number, size=LARGE)
    fleet.request("heavy", at=50, request_id="small")
    fleet.run(until=100)
    assert refused(fleet) == []


PHI = {"heavy": 1, "light": 1, "favoured": 8}
ARRIVALS = st.lists(
    st.tuples(st.sampled_from(sorted(PHI)), st.sampled_from(["standard", "flex"])), max_size=90
)


@settings(max_examples=40, deadline=None)
@given(ARRIVALS)
def test_whoever_comes_the_same_go_as_by_the_rule_worked_out_by_hand(arrivals):
    """R18 for places: of the arrival's own band the leaf with the most waiting by weight loses its last,
    unless the arrival would be the worst itself. Of equals the one that waited in that band first of all."""
    fleet = blocked(two_bands())
    waiting: dict[str, dict[str, list[str]]] = {"standard": {"heavy": []}, "flex": {}}
    gone: set[str] = set()
    for number, (tenant, tier) in enumerate(arrivals):
        name = f"{tenant}{number}"
        fleet.request(tenant, at=10 + number, tier=tier, request_id=name)
        band = waiting[tier]
        own = band.setdefault(tenant, [])
        if sum(map(len, band.values())) < 20:
            own.append(name)
            continue
        worst = max((one for one in band if band[one]), key=lambda one: Fraction(len(band[one]), PHI[one]))
        if worst == tenant or Fraction(len(own) + 1, PHI[tenant]) >= Fraction(len(band[worst]), PHI[worst]):
            gone.add(name)
        else:
            gone.add(band[worst].pop())
            own.append(name)
    fleet.run(until=1000)
    assert set(refused(fleet)) == gone


@pytest.mark.parametrize("seed", range(3))
def test_through_overload_bounds_hold_and_every_displaced_request_is_refunded(seed):
    """Bursts from three tenants in two bands; in the end every meter stands where it stood."""
    policy = two_bands()
    for tenant in ("heavy", "light", "favoured"):
        policy.quota(f"{tenant}-limit", tenant, limit("total_tokens", "day", 10**9))
    fleet = VirtualFleet(policy.load(), seed=seed, output_of=lambda request: request.max_tokens or 1)
    fleet.watch = bounded
    random_ = random.Random(seed)
    for _ in range(250):
        fleet.request(
            random_.choice(["heavy", "heavy", "light", "favoured"]),
            at=random_.randint(0, 10 * SECOND),
            tier=random_.choice(["standard", "flex"]),
            prompt=random_.randint(500, 9000),
            max_tokens=random_.randint(1, 50),
            size=random_.choice([100, LARGE]),
        )
    fleet.run(until=60 * MINUTE)
    shed = [one for one in fleet.served.values() if one.refused is not None]
    done = [one for one in fleet.served.values() if one.finished is not None]
    assert len(shed) > 50
    assert len(shed) + len(done) == 250
    assert {one.decision.code for one in shed} == {"capacity_exceeded"}
    assert all(one.decision.retry_after_us for one in shed)
    spent = {"heavy": 0, "light": 0, "favoured": 0}
    for one in done:
        spent[one.decision.request.tenant] += sum(one.decision.held) + (
            one.charge.hold_error if one.charge else 0
        )
    for tenant, tokens in spent.items():
        meter = fleet.state.meters["quota", f"{tenant}-limit", "total_tokens", "day"]
        assert meter.remaining(fleet.now) == 10**9 - tokens
    assert fleet.state.pools["p"].held_bytes == 0


def bounded(fleet: VirtualFleet) -> None:
    for queue in fleet.state.pools["p"].queues:
        assert queue.depth <= 20 or queue.is_lane
    assert fleet.state.pools["p"].held_bytes <= HELD_BYTES
