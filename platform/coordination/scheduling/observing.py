"""What do the replicas say of themselves, and what does an operator? (R19, R21)"""

# Every step of a request takes (program, state, ..., now), whether or not it needs them all today.
# ruff: noqa: ARG001

from __future__ import annotations

from typing import NamedTuple

from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling.health import HealthState
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


def follow(program: Program, state: State, pool: str, found: tuple[str, ...], now: Micros) -> None:
    """The name of a pool stands for these replicas now. Those that stay keep their counts and caches. Those
    that left are sent nothing new; what waits for them looks for another home, what runs there ends as it
    may."""
    held = state.pools.get(pool)
    if held is not None and held.found != found:
        held.found = found
        held.resize(held.pool, now)


def wake(program: Program, state: State, pool: str, until: Micros, now: Micros) -> None:
    """Replicas of a pool are on their way: until then its requests are held, those that wait and those that
    come, also beyond their tier's ``max_wait``, but not beyond a deadline of their own. An instant that has
    passed ends that for whoever comes from now on."""
    held = state.pools.get(pool)
    if held is None:
        return
    held.waking = until
    for ticket in list(state.tickets.values()):
        if ticket.pool is held and held.holds_until(ticket.request.deadline, now) > ticket.expires:
            ticket.expires = held.holds_until(ticket.request.deadline, now)
            state.waits(ticket)


class Standing(NamedTuple):
    """How one replica stands, for whoever operates it."""

    url: str
    health: HealthState
    running: int
    """Requests this gateway has in flight there."""
    waiting: int
    """Requests that call it home."""

    @property
    def drained(self) -> bool:
        """Set aside, and nothing of this gateway is left on it: it may be taken away."""
        return self.health == "cordoned" and not self.running and not self.waiting


def standing(state: State, pool: str) -> list[Standing]:
    """The replicas of a pool, in the order of their URLs; none for a pool that is not known."""
    held = state.pools.get(pool)
    if held is None:
        return []
    return [
        Standing(url, one.health.state, one.sequences, one.parked) for url, one in sorted(held.by_url.items())
    ]


def busy(state: State, pool: str, replica: str) -> bool:
    """Whether this gateway has requests in flight at a replica."""
    held = state.pools.get(pool)
    found = held.by_url.get(replica) if held is not None else None
    return found is not None and found.sequences > 0


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
