"""How much of a pool may one tenant's requests occupy, and who of them waits for that? (R19)

A quota may cap the sequences and the KV memory that its requests take up in one pool. A request holds its
part from when it joins its queue until it is over; while there is none for it, it stands aside, so that it
keeps nobody else from their turn, and nothing idle. Of one tenant's requests a higher band goes first: what
only waits in a lower one steps back for it. The reservation lane is not capped: a reservation is a cap.

Bytes are capped over all pools, and refused beyond: whoever stands aside takes up memory too.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Literal

from coordination.program.index import Program, Quota
from coordination.program.records import MILLION
from coordination.scheduling import reasons
from coordination.scheduling.decisions import WAITING, Ticket
from coordination.scheduling.limits import NEVER

if TYPE_CHECKING:
    from coordination.scheduling.pools import PoolState
    from coordination.scheduling.scopes import Chain
    from coordination.scheduling.state import State

Of = Literal["sequences", "kv_tokens", "bytes"]
CapKey = tuple[str, str, Of]
"""Quota, pool (empty for bytes), what is capped."""
WAITED_FOR: Final[tuple[Of, ...]] = ("sequences", "kv_tokens")


class Cap:
    """One cap with what is taken of it, and who stands aside for it."""

    __slots__ = ("aside", "holders", "key", "part", "pool", "used")

    def __init__(self, key: CapKey, part: int, pool: PoolState | None) -> None:
        self.key = key
        self.part = part
        """Requests or bytes; of KV memory, millionths of the pool's."""
        self.pool = pool
        self.used = 0
        self.holders: dict[Ticket, None] = {}
        self.aside: list[tuple[int, int, Ticket]] = []
        """(-band, order, ticket), sorted: the next is the first."""

    @property
    def limit(self) -> int:
        if self.pool is None or self.key[2] != "kv_tokens":
            return self.part
        return self.part * self.pool.pool.kv_tokens * len(self.pool.replicas) // MILLION

    def room(self, amount: int) -> bool:
        """One that is larger than the cap goes when it is alone."""
        return not self.used or self.used + amount <= self.limit


def caps_of(state: State, quotas: tuple[Quota, ...], ticket: Ticket) -> tuple[tuple[Cap, int], ...]:
    """What a request must hold in its pool, and how much of each."""
    pool = ticket.pool
    amounts = {"sequences": 1, "kv_tokens": ticket.request.prompt_tokens + ticket.output}
    return tuple(
        (find(state.caps, (quota.name, pool.pool.name, of), part, pool), amounts[of])
        for quota in quotas
        for of in WAITED_FOR
        if (part := part_of(quota, of)) is not None
    )


def find(caps: dict[CapKey, Cap], key: CapKey, part: int, pool: PoolState | None) -> Cap:
    found = caps.get(key)
    if found is None:
        found = caps[key] = Cap(key, part, pool)
    return found


def part_of(quota: Quota, of: Of) -> int | None:
    """What a quota says; None where it caps nothing of it."""
    caps = quota.caps
    if caps is None:
        return None
    return {"sequences": caps.sequences, "kv_tokens": caps.kv_share_ppm, "bytes": caps.bytes}[of]


def overfull(state: State, chain: Chain, pool: str, most: int) -> Cap | None:
    """A cap for which as many stand aside as may wait at all; None while there is room to wait."""
    for quota in chain.caps:
        for of in WAITED_FOR:
            cap = state.caps.get((quota.name, pool, of))
            if cap is not None and len(cap.aside) >= most:
                return cap
    return None


def enter(ticket: Ticket) -> bool:
    """Let a request join its queue, if its caps have room for it; else it stands aside: False."""
    full = _full(ticket)
    stepped: list[Ticket] = []
    while full is not None and (other := _lower(full, ticket)) is not None:
        _step_back(other, full)
        stepped.append(other)
        full = _full(ticket)
    if full is None:
        _join(ticket)
    else:
        _stand_aside(ticket, full)
    for other in stepped:  # of its other caps there may be more now than the newcomer takes
        for cap, _ in other.caps:
            _wake(cap)
    return full is None


def release(ticket: Ticket) -> None:
    """It is over: what it held goes to whoever stands aside."""
    if ticket in ticket.caps[0][0].holders:
        _free(ticket)
        for cap, _ in ticket.caps:
            _wake(cap)


def has_room_twice(ticket: Ticket) -> bool:
    """Whether its caps have room for a second attempt beside it, for which nobody stands aside."""
    return not any(cap.aside or not cap.room(amount) for cap, amount in ticket.caps)


def hold_twice(ticket: Ticket) -> None:
    """A second attempt occupies as much once more."""
    for cap, amount in ticket.caps:
        cap.used += amount


def hold_once(ticket: Ticket) -> None:
    """One of two attempts is over: what it held goes to whoever stands aside."""
    for cap, amount in ticket.caps:
        cap.used -= amount
    for cap, _ in ticket.caps:
        _wake(cap)


def withdraw(ticket: Ticket) -> None:
    """It stands aside no longer: expired, or its client left."""
    cap, queue = ticket.capped_by, ticket.queue
    if cap is not None and queue is not None:
        cap.aside.remove((-queue.band, ticket.order, ticket))
        queue.bytes -= ticket.request.size
        ticket.capped_by = None
        ticket.delayed = False


def follow(state: State, program: Program) -> Iterator[None]:
    """Another policy is in force: caps are what it says, what is held stays held. A cap at a time."""
    for key, cap in list(state.caps.items()):
        quota = program.quotas.get(key[0])
        part = None if quota is None else part_of(quota, key[2])
        cap.part = NEVER if part is None else part
        if part is None:
            state.caps.pop(key, None)
        _wake(cap)
        yield


def _full(ticket: Ticket) -> Cap | None:
    return next((cap for cap, amount in ticket.caps if not cap.room(amount)), None)


def _join(ticket: Ticket) -> None:
    queue = ticket.queue
    assert queue is not None  # noqa: S101  it was given one at admission
    for cap, amount in ticket.caps:
        cap.used += amount
        cap.holders[ticket] = None
    ticket.delayed = False
    ticket.pool.waiting += 1
    queue.append(ticket)


def _free(ticket: Ticket) -> None:
    for cap, amount in ticket.caps:
        cap.used -= amount
        del cap.holders[ticket]


def _stand_aside(ticket: Ticket, cap: Cap) -> None:
    queue = ticket.queue
    assert queue is not None  # noqa: S101  it was given one at admission
    ticket.delayed = True
    ticket.capped_by = cap
    queue.bytes += ticket.request.size
    insort(cap.aside, (-queue.band, ticket.order, ticket))
    quota, pool, of = cap.key
    ticket.decision.trace.append((reasons.CAPPED, quota, pool, of.replace("_", " "), cap.used, cap.limit))


def _wake(cap: Cap) -> None:
    """Whoever stands aside and has room now joins; whoever lacks room in another cap, waits for that."""
    while cap.aside:
        ticket = cap.aside[0][2]
        full = _full(ticket)
        if full is cap:
            return
        withdraw(ticket)
        if full is None:
            _join(ticket)
        else:
            _stand_aside(ticket, full)


def _lower(cap: Cap, ticket: Ticket) -> Ticket | None:
    """Of those that hold a part and wait in a lower band: the lowest band's last."""
    band = _band(ticket)
    lower = [one for one in cap.holders if one.status == WAITING and _band(one) < band]
    return max(lower, key=lambda one: (-_band(one), one.order), default=None)


def _band(ticket: Ticket) -> int:
    assert ticket.queue is not None  # noqa: S101  it was given one at admission
    return ticket.queue.band


def _step_back(ticket: Ticket, cap: Cap) -> None:
    """It waits in its queue, and stands aside from now on."""
    queue, leaf, home = ticket.queue, ticket.leaf, ticket.home
    assert queue is not None  # noqa: S101  it waits
    assert leaf is not None  # noqa: S101
    queue.drop(ticket)
    leaf.remove(ticket)
    ticket.pool.waiting -= 1
    if home is not None:
        ticket.pool.moved(home)
    _free(ticket)
    _stand_aside(ticket, cap)
