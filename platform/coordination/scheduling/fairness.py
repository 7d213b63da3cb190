"""Whose turn is it? Hierarchical start-time fair queueing (R13, R15, R16).

A node has a start tag A (``start``), a parent a virtual time V (``virtual``). A child that becomes
backlogged gets A = max(A, V of its parent): no credit from idleness (F3). The least A goes next,
and pays cost / weight. Tags are integers: millionths of an uncached input token per unit of weight.

One departure from R15 as written: V follows the *least* tag of the backlogged siblings, not the
picked one, which locality (R20) may take from up to Q further on; a newcomer would otherwise start
up to Q behind everybody who waits (docs/adr/0010).
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from coordination.program.records import MILLION, Ppm

LOCALITY_SLACK: Final = 50_000 * MILLION
"""Q of R20: how far past the least tag a leaf may be served for the sake of its cache."""


class Node:
    """A tenant in the tree, its own leaf, a reservation in the lane, or the root."""

    __slots__ = (
        "_heap",
        "_key",
        "_order",
        "backlog",
        "name",
        "parent",
        "phi",
        "phi_backlogged",
        "start",
        "virtual",
    )

    def __init__(self, name: str, parent: Node | None, order: int) -> None:
        self.name = name
        self.parent = parent
        self.start = 0
        self.virtual = 0
        self.backlog = 0
        """Requests waiting below (or in) it."""
        self.phi: Ppm = MILLION
        self.phi_backlogged: Ppm = 0
        """Sum of phi of its backlogged children."""
        self._order = order
        self._key = -1
        self._heap: list[tuple[int, int, Node]] = []

    def least(self) -> Node | None:
        """The backlogged child with the least tag; entries left behind are dropped on the way."""
        heap = self._heap
        while heap:
            key, _, child = heap[0]
            if not child.backlog or child._key != key:
                heappop(heap)
            elif child.start == key:
                return child
            else:  # charged since it was entered
                child._key = child.start
                heapreplace(heap, (child.start, child._order, child))
        return None

    def clear(self) -> None:
        """Let go of its parent and its children."""
        self.parent = None
        self._heap.clear()

    def _offer(self, child: Node) -> None:
        child._key = child.start
        heap = self._heap
        heappush(heap, (child.start, child._order, child))
        if len(heap) > 64 and len(heap) > 4 * self.backlog:
            # A child's older entries go; each live child keeps exactly one.
            live = {entry[2] for entry in heap if entry[2].backlog}
            for node in live:
                node._key = node.start
            heap[:] = [(node.start, node._order, node) for node in live]
            heapify(heap)


def enter(leaf: Node, weights: Sequence[Ppm]) -> None:
    """One more request waits in ``leaf``; ``weights`` are phi from the outermost node to the leaf."""
    node, level = leaf, len(weights) - 1
    while True:
        parent = node.parent
        if parent is None:
            node.backlog += 1
            return
        node.backlog += 1
        if node.backlog == 1:
            if node.start < parent.virtual:
                node.start = parent.virtual
            node.phi = weights[level]
            parent.phi_backlogged += node.phi
            parent._offer(node)
        node, level = parent, level - 1


def leave(leaf: Node) -> None:
    """One request of ``leaf`` waits no longer, whatever became of it."""
    node: Node | None = leaf
    while node is not None:
        node.backlog -= 1
        if not node.backlog and node.parent is not None:
            node.parent.phi_backlogged -= node.phi
        node = node.parent


def pick(root: Node) -> Node | None:
    """The leaf whose turn it is: the least tag at every level."""
    node = root.least()
    while node is not None:
        below = node.least()
        if below is None:
            return node
        node = below
    return None


def within(leaf: Node, slack: int) -> bool:
    """Is every node on the leaf's path at most ``slack`` past its least sibling?"""
    node = leaf
    while node.parent is not None:
        least = node.parent.least()
        if least is not None and node.start > least.start + slack:
            return False
        node = node.parent
    return True


def serve(leaf: Node, cost: int, weights: Sequence[Ppm]) -> None:
    """One request of the leaf is dispatched: each V on its path moves up to the least tag there,
    each A pays, and one request waits less."""
    node, level = leaf, len(weights) - 1
    while True:
        parent = node.parent
        if parent is None:
            node.backlog -= 1
            return
        least = parent.least()
        if least is not None and least.start > parent.virtual:
            parent.virtual = least.start
        node.start += cost * MILLION // weights[level]
        node.backlog -= 1
        if not node.backlog:
            parent.phi_backlogged -= node.phi
        node, level = parent, level - 1


def charge(leaf: Node, cost: int, weights: Sequence[Ppm]) -> None:
    """A += cost / phi along the path; a negative cost is a refund, undone to the last unit.

    Floor division of opposite amounts differs by one unit, so refunds mirror the charge.
    """
    node, level = leaf, len(weights) - 1
    while node.parent is not None:
        if cost >= 0:
            node.start += cost * MILLION // weights[level]
        else:
            node.start -= -cost * MILLION // weights[level]
            if node.backlog and node.start < node._key:
                node.parent._offer(node)
        node, level = node.parent, level - 1


def tags(leaf: Node) -> tuple[int, ...]:
    """Start tags from the outermost node to the leaf: the order in which leaves are served."""
    if leaf.parent is not None and leaf.parent.parent is None:
        return (leaf.start,)
    found: list[int] = []
    node = leaf
    while node.parent is not None:
        found.append(node.start)
        node = node.parent
    found.reverse()
    return tuple(found)
