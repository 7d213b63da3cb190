"""How is a fleet that was only tried gone at once?

Requests that wait refer to their leaf and it to them, a replica to what it was sent last. What nobody holds
any more but goes round in a circle stays until somebody looks for garbage: after a self-test of 256 requests
some fifty thousand objects, and a gateway that reads a policy never looks for them (docs/adr/0098).
"""

from __future__ import annotations

from coordination.scheduling.pools import PoolState
from coordination.scheduling.state import State
from coordination.scheduling.waiting import Queue


def dissolve(state: State) -> None:
    """Break every circle in a state. It must not be asked anything after that."""
    for cap in state.caps.values():
        cap.holders.clear()
        cap.aside.clear()
    for pool in state.pools.values():
        _dissolve_pool(pool)


def _dissolve_pool(pool: PoolState) -> None:
    pool.delayed.clear()
    for replica in pool.replicas.values():
        replica.newest = replica.awaited = None
    for queue in pool.queues:
        _dissolve_queue(queue)


def _dissolve_queue(queue: Queue) -> None:
    queue.ageing.clear()
    queue.fresh_homes.clear()
    for leaf in queue.leaves():
        leaf.clear()
    queue.root.clear()
