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
from tests.support.virtual_fleet import VirtualFleet


class Tree:
    """A random tree whose leaves are always backlogged."""

    def __init__(self, random_: random.Random) -> None:
        self.root = Node("", None, 0)
        self.weights: dict[str, tuple[int, ...]] = {}
        self.leaves: list[Leaf] = []
        self._grow(self.root, "", (), random_, 0)

    def _grow(
        self, node: Node, path: str, weights: tuple[int, ...], random_: random.Random, depth: int
    ) -> None:
        for number in range(random_.randint(2, 4)):
            name = f"{path}/{number}"
            child = Leaf(name, node, len(self.weights) + 1)
            own = (*weights, random_.choice([MILLION // 2, MILLION, 2 * MILLION, 4 * MILLION]))
            self.weights[name] = own
            if depth < 2 and random_.random() < 0.4:
                self._grow(child, name, own, random_, depth + 1)
            else:
                self.leaves.append(child)


def siblings(tree: Tree) -> list[tuple[Node, Node]]:
    nodes: dict[str, Node] = {}
    for leaf in tree.leaves:
        node: Node = leaf
        while node.parent is not None:
            nodes[node.name] = node
            node = node.parent
    found = list(nodes.values())
    return [(a, b) for i, a in enumerate(found) for b in found[i + 1 :] if a.parent is b.parent]


@pytest.mark.parametrize("locality", [False, True], ids=["in strict order", "within Q for locality"])
@pytest.mark.parametrize("seed", range(12))
def test_f1_backlogged_siblings_never_drift_apart_by_more_than_the_bound(seed, locality):
    """|dA_f - dA_g| <= c_f/phi_f + c_g/phi_g, and 2 Q more where locality may choose (ADR 0010)."""
    random_ = random.Random(seed)
    tree = Tree(random_)
    for leaf in tree.leaves:
        enter(leaf, tree.weights[leaf.name])
    largest: dict[str, int] = {}
    start = dict.fromkeys(tree.weights, 0)
    pairs = siblings(tree)
    low = {(a.name, b.name): 0 for a, b in pairs}
    high = dict(low)
    for _ in range(1500):
        chosen = pick(tree.root)
        if locality:
            eligible = [one for one in tree.leaves if within(one, LOCALITY_SLACK)]
            chosen = random_.choice(eligible[:3] if random_.random() < 0.7 else eligible[-3:])
        assert isinstance(chosen, Leaf)
        cost = random_.randint(1, 60_000) * MILLION
        weights = tree.weights[chosen.name]
        enter(chosen, weights)  # it stays backlogged
        serve(chosen, cost, weights)
        at: Node = chosen
        while at.parent is not None:
            largest[at.name] = max(largest.get(at.name, 0), cost * MILLION // tree.weights[at.name][-1])
            at = at.parent
        for a, b in pairs:
            gap = (a.start - start[a.name]) - (b.start - start[b.name])
            key = (a.name, b.name)
            low[key], high[key] = min(low[key], gap), max(high[key], gap)
    for a, b in pairs:
        bound = largest.get(a.name, 0) + largest.get(b.name, 0) + (2 * LOCALITY_SLACK if locality else 0)
        assert high[a.name, b.name] - low[a.name, b.name] <= bound


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
    policy.tenant("a").tenant("a/x").tenant("a/y")
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
    assert shares == [pytest.approx(0.5, rel=0.02), pytest.approx(0.75, rel=0.02)]


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
