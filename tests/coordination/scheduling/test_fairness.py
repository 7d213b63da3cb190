"""Shares: the bound F1 of R16, no credit from idleness (F3), and refunds that leave no trace."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION
from coordination.scheduling import activate
from coordination.scheduling.decisions import Ticket
from coordination.scheduling.fairness import LOCALITY_SLACK, Node, charge, enter, leave, pick, serve, within
from coordination.scheduling.leaves import Leaf
from tests.support.programs import SECOND, a_policy
from tests.support.trees import Drift, Tree, always_waiting
from tests.support.virtual_fleet import VirtualFleet


@pytest.mark.parametrize("locality", [False, True], ids=["in strict order", "within Q for locality"])
@pytest.mark.parametrize("seed", range(8))
def test_f1_backlogged_siblings_never_drift_apart_by_more_than_the_bound(seed, locality):
    """|dA_f - dA_g| <= c_f/phi_f + c_g/phi_g, and 2 Q more where locality may choose (ADR 0010).
    ``benchmarks.fairness`` tries 150 trees for longer."""
    assert 0.3 < always_waiting(seed, 800, locality=locality) <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.lists(st.integers(0, 11), min_size=20, max_size=150), st.booleans())
def test_f1_holds_over_every_stretch_in_which_two_wait_whoever_comes_and_goes(seed, steps, locality):
    """F3 with it: who was idle joins at the time of those that wait, and is at once within the bound."""
    random_ = random.Random(seed)
    tree = Tree(random_)
    drift = Drift(tree, locality=locality)
    for step in steps:
        leaf = tree.leaves[random_.randrange(len(tree.leaves))]
        if step < 5:
            drift.come(leaf)
            assert leaf.parent is not None
            assert leaf.start >= leaf.parent.virtual, "no credit from idleness"
        elif step == 5 and leaf.backlog:
            drift.go(leaf)
        else:
            drift.dispatch(random_)
            drift.look()
    assert drift.worst() <= 1


def test_locality_alone_may_cost_twice_q_between_two_instants():
    """The witness for the 2 Q of ADR 0010: first only f has a request at home, then only g."""
    root = Node("", None, 0)
    f, g = Leaf("f", root, 1), Leaf("g", root, 2)
    cost = 1000 * MILLION
    for leaf in (f, g):
        for _ in range(1000):
            enter(leaf, (MILLION,))
    while within(f, LOCALITY_SLACK):
        serve(f, cost, (MILLION,))
    ahead = f.start - g.start
    while within(g, LOCALITY_SLACK):
        serve(g, cost, (MILLION,))
    drift = ahead - (f.start - g.start)
    assert LOCALITY_SLACK + 2 * cost < drift <= 2 * LOCALITY_SLACK + 2 * cost


def test_f3_idleness_earns_no_credit():
    root = Node("", None, 0)
    busy, idle = Leaf("busy", root, 1), Leaf("idle", root, 2)
    for _ in range(101):
        enter(busy, (MILLION,))
    for _ in range(100):
        serve(busy, 1000 * MILLION, (MILLION,))
    enter(idle, (MILLION,))
    assert idle.start >= busy.start - 1000 * MILLION, "it does not get back what it left unused"
    assert idle.start <= busy.start, "but it does not wait behind those that were served"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 10**10), st.booleans()), max_size=60),
    st.lists(st.integers(1, 9 * MILLION), min_size=5, max_size=5),
)
def test_a_refund_undoes_its_charge_to_the_last_unit(operations, weights):
    root = Node("", None, 0)
    leaves = [Leaf(str(number), root, number) for number in range(5)]
    for leaf, weight in zip(leaves, weights, strict=True):
        enter(leaf, (weight,))
    for number, cost, waits_on in operations:
        leaf, path = leaves[number], (weights[number],)
        before = leaf.start
        charge(leaf, cost, path)
        if waits_on:
            charge(leaf, -cost, path)
            assert leaf.start == before
        least = pick(root)
        assert least is not None
        assert least.start == min(one.start for one in leaves)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["enter", "serve", "leave", "refund"]), st.integers(0, 5)), max_size=200
    )
)
def test_the_lazy_heap_always_finds_the_least_backlogged_child(operations):
    root = Node("", None, 0)
    leaves = [Leaf(str(number), root, number) for number in range(6)]
    for step, (operation, number) in enumerate(operations):
        leaf = leaves[number]
        if operation == "enter":
            enter(leaf, (MILLION,))
        elif operation == "refund":
            charge(leaf, -min(leaf.start, 500 + step), (MILLION,))
        elif leaf.backlog:
            if operation == "serve":
                serve(leaf, 1000 + step, (MILLION,))
            else:
                leave(leaf)
        waiting = [one for one in leaves if one.backlog]
        found = root.least()
        assert (found is None) == (not waiting)
        if found is not None:
            assert found.start == min(one.start for one in waiting)
        assert root.phi_backlogged == MILLION * len(waiting)
        assert root.backlog == sum(one.backlog for one in leaves)


def test_under_overload_tenants_are_served_in_the_ratio_of_their_weights():
    """Overload 3x, weights 1:2:3:4: shares within 2 % (the figure of the design)."""
    policy = a_policy().model().pool(replicas=4, sequences=64).tier(max_wait=10_000 * SECOND).route()
    for number in range(1, 5):
        policy.tenant(f"t{number}", weight=number)
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 20)
    random_ = random.Random(3)
    for number in range(1, 5):
        at = 0
        while at < 120 * SECOND:
            at += random_.randint(1, 66_000)  # 120 requests/s between four; the fleet serves 40
            fleet.request(f"t{number}", at=at, prompt=random_.randint(500, 1500))
    fleet.run(until=10 * SECOND)
    before = served_cost(fleet)
    fleet.run(until=110 * SECOND)
    after = served_cost(fleet)
    gained = {name: after[name] - before.get(name, 0) for name in after}
    total = sum(gained.values())
    for number in range(1, 5):
        assert gained[f"t{number}"] / total == pytest.approx(number / 10, rel=0.02)


def test_a_moved_share_divides_what_is_served_from_then_on():
    """Two teams of one tenant, even at first; then the directory gives one three quarters."""
    policy = a_policy().model().pool(replicas=4, sequences=64).tier(max_wait=10_000 * SECOND).route()
    policy.tenant("a").tenant("a/x").tenant("a/y").quota("a", "a", delegates=("weight",))
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 20)
    for at in range(0, 150 * SECOND, 15_000):
        fleet.request("a/x" if at % 30_000 else "a/y", at=at, prompt=1000)
    shares = []
    for end in (60, 120):
        fleet.run(until=(end - 50) * SECOND)
        before = served_cost(fleet)
        fleet.run(until=end * SECOND)
        gained = {name: cost - before.get(name, 0) for name, cost in served_cost(fleet).items()}
        shares.append(gained["a/x"] / sum(gained.values()))
        assert fleet.program.follow({"a/x": 3 * MILLION}) == (end == 60)
        activate(fleet.state, fleet.program, fleet.now)
    # 50 s are 2.1M of cost: the 2 Q of F1 may come to 5 % of that, once, as the weights change.
    assert shares == [pytest.approx(0.5, rel=0.02), pytest.approx(0.75, rel=0.05)]


def served_cost(fleet: VirtualFleet) -> dict[str, int]:
    costs: dict[str, int] = {}
    for sent in fleet.sent:
        tenant = sent.request.tenant
        costs[tenant] = costs.get(tenant, 0) + sent.ticket.charged_cost
    return costs


def test_an_inner_tenants_own_traffic_is_one_leaf_beside_its_children():
    policy = a_policy().model().pool(replicas=1).tier(max_wait=10_000 * SECOND).route()
    policy.tenant("a", weight=1).tenant("a/x", weight=1).tenant("a/y", weight=2).tenant("b", weight=1)
    fleet = VirtualFleet(policy.load(), output_of=lambda request: 1)
    for number in range(300):
        for tenant in ("a", "a/x", "a/y", "b"):
            fleet.request(tenant, at=number, max_tokens=1)
    fleet.run(until=40 * SECOND)
    costs = served_cost(fleet)
    total = sum(costs.values())
    shares = {name: costs[name] / total for name in costs}
    assert shares["b"] == pytest.approx(1 / 2, rel=0.03)
    assert shares["a"] == pytest.approx(1 / 8, rel=0.05)
    assert shares["a/x"] == pytest.approx(1 / 8, rel=0.05)
    assert shares["a/y"] == pytest.approx(1 / 4, rel=0.05)


def test_a_leaf_is_served_in_the_order_of_arrival():
    fleet = VirtualFleet(
        a_policy().model().pool(replicas=1).tier(max_wait=10_000 * SECOND).tenant().route().load()
    )
    for number in range(40):
        fleet.request(at=number * 10)
    fleet.run()
    order = [int(sent.request.request_id.removeprefix("req")) for sent in fleet.sent]
    assert all(a < b for a, b in pairwise(order))


def test_tickets_know_no_equality_but_identity():
    """Queues remove tickets from lists: two equal requests must not be taken for one another."""
    assert Ticket.__eq__ is object.__eq__
