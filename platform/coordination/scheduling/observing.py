"""What do the replicas say of themselves, and what does an operator? (R19, R21)"""

# Every step of a request takes (program, state, ..., now), whether or not it needs them all today.
# ruff: noqa: ARG001

from __future__ import annotations

from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling.state import State
from coordination.scheduling.values import ReplicaReport


def observe(
    program: Program,
    state: State,
    pool: str,
    replica: str,
    report: ReplicaReport | None,
    now: Micros,
) -> None:
    """Take over a scraped report; ``None`` says the replica could not be reached.

    Unknown names are ignored: a scrape may outlive the policy that asked for it.
    """
    held = state.pools.get(pool)
    found = held.by_url.get(replica) if held is not None else None
    if held is None or found is None:
        return
    if report is None:
        found.forget_report()
        found.health.failed("unreachable", now)
        held.refresh_health(now)
        held.refresh(found)
        return
    found.observed(report, held.pool.kv_tokens)
    if found.health.state == "ejected":
        found.health.seen(now)
        held.refresh_health(now)
    held.observed(found, report.at)


def set_health(program: Program, state: State, pool: str, replica: str, healthy: bool, now: Micros) -> None:
    """Cordon a replica (nothing new goes there, even if it is the last), or lift that."""
    held = state.pools.get(pool)
    found = held.by_url.get(replica) if held is not None else None
    if held is None or found is None:
        return
    if healthy:
        found.health.uncordon()
    else:
        found.health.cordon()
    held.refresh_health(now)
