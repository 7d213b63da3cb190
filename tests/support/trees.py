"""Random trees of tenants, and how far siblings drift apart while both wait (F1)."""

from __future__ import annotations

import random

from coordination.program.records import MILLION
from coordination.scheduling.fairness import LOCALITY_SLACK, Node, enter, leave, pick, serve, within
from coordination.scheduling.leaves import Leaf

DEAREST = 60_000


class Tree:
    """A random tree, up to three levels deep."""

    def __init__(self, random_: random.Random) -> None:
        self.root = Node("", None, 0)
        self.weights: dict[str, tuple[int, ...]] = {}
        self.leaves: list[Leaf] = []
        self.nodes: list[Node] = []
        self._grow(self.root, "", (), random_, 0)

    @property
    def siblings(self) -> list[tuple[Node, Node]]:
        nodes = self.nodes
        return [(a, b) for i, a in enumerate(nodes) for b in nodes[i + 1 :] if a.parent is b.parent]

    def _grow(
        self, node: Node, path: str, weights: tuple[int, ...], random_: random.Random, depth: int
    ) -> None:
        for number in range(random_.randint(2, 4)):
            name = f"{path}/{number}"
            child = Leaf(name, node, len(self.weights) + 1)
            own = (*weights, random_.choice([MILLION // 2, MILLION, 2 * MILLION, 4 * MILLION]))
            self.weights[name] = own
            self.nodes.append(child)
            if depth < 2 and random_.random() < 0.4:
                self._grow(child, name, own, random_, depth + 1)
            else:
                self.leaves.append(child)


class Drift:
    """Serves a tree and keeps, of every two siblings, the widest |dA_f - dA_g| between two instants of a
    stretch in which both waited throughout."""

    def __init__(self, tree: Tree, *, locality: bool) -> None:
        self.tree = tree
        self.locality = locality
        self.dearest: dict[str, int] = {}
        """Largest c / phi of each node."""
        self.widest: dict[tuple[str, str], int] = {}
        self._pairs = tree.siblings
        self._range: dict[tuple[str, str], tuple[int, int]] = {}
        self.look()

    def come(self, leaf: Leaf) -> None:
        enter(leaf, self.tree.weights[leaf.name])
        self.look()

    def go(self, leaf: Leaf) -> None:
        leave(leaf)
        self.look()

    def dispatch(self, random_: random.Random) -> Leaf | None:
        """One request, of the fairest leaf, or of any within Q of its turn as locality may have it."""
        chosen = pick(self.tree.root)
        if chosen is None:
            return None
        if self.locality:
            eligible = [one for one in self.tree.leaves if one.backlog and within(one, LOCALITY_SLACK)]
            chosen = random_.choice(eligible[:3] if random_.random() < 0.7 else eligible[-3:])
        assert isinstance(chosen, Leaf)
        cost = random_.randint(1, DEAREST) * MILLION
        serve(chosen, cost, self.tree.weights[chosen.name])
        node: Node = chosen
        while node.parent is not None:
            part = cost * MILLION // self.tree.weights[node.name][-1]
            self.dearest[node.name] = max(self.dearest.get(node.name, 0), part)
            node = node.parent
        return chosen

    def look(self) -> None:
        for a, b in self._pairs:
            key = (a.name, b.name)
            if not a.backlog or not b.backlog:
                self._range.pop(key, None)
                continue
            gap = a.start - b.start
            low, high = self._range.get(key, (gap, gap))
            self._range[key] = low, high = min(low, gap), max(high, gap)
            if high - low > self.widest.get(key, 0):
                self.widest[key] = high - low

    def worst(self) -> float:
        """The largest part of its bound c_f/phi_f + c_g/phi_g (+ 2 Q) that a pair came to."""
        slack = 2 * LOCALITY_SLACK if self.locality else 0
        return max(
            (
                wide / (self.dearest.get(f, 0) + self.dearest.get(g, 0) + slack)
                for (f, g), wide in self.widest.items()
            ),
            default=0.0,
        )


def always_waiting(seed: int, dispatches: int, *, locality: bool) -> float:
    """The worst part of the bound on a random tree in which every leaf waits throughout."""
    random_ = random.Random(seed)
    tree = Tree(random_)
    for leaf in tree.leaves:
        enter(leaf, tree.weights[leaf.name])
        enter(leaf, tree.weights[leaf.name])
    drift = Drift(tree, locality=locality)
    for _ in range(dispatches):
        served = drift.dispatch(random_)
        assert served is not None
        drift.come(served)
    return drift.worst()
