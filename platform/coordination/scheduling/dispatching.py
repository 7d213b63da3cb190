"""Who goes now, and where? (R13, R15, R19, R20)

Home-then-commit. The lane is asked first, then what is owed a band, then the bands from the highest down;
each may use what is open, in the order of fairness, within Q for the sake of the cache. A band that has
requests waiting for busy homes does not keep lower bands from replicas it does not want itself
(docs/adr/0011).
"""

# Every step of a request takes (program, state, ..., now), whether or not it needs them all today.
# ruff: noqa: ARG001

from __future__ import annotations

from coordination.program.index import Program, Reserve
from coordination.program.records import MILLION, Micros, Ppm
from coordination.scheduling import reasons
from coordination.scheduling.bands import next_band, served
from coordination.scheduling.decisions import IN_FLIGHT, Dispatch, Ticket
from coordination.scheduling.fairness import LOCALITY_SLACK, pick, within
from coordination.scheduling.leaves import Leaf
from coordination.scheduling.placement import Below, choose, estimate_here, place, release_after
from coordination.scheduling.pools import PoolState, residual
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.replicas import Replica
from coordination.scheduling.state import State
from coordination.scheduling.waiting import HOMED, Queue

Choice = tuple[Ticket, Replica, Micros, int]
"""A request, the replica it goes to, its prefill time there and the blocks it finds there."""


def dispatch(program: Program, state: State, pool: str, now: Micros) -> list[Dispatch]:
    """Commit waiting requests of a pool to open replicas until nothing more may go.

    Call it after whatever may open a replica or add a request: admit, first_byte, settle, fail,
    observe, set_health, expire.
    """
    held = state.pools.get(pool)
    if held is None or not (held.waiting or held.delayed):
        return []
    held.advance(now)
    reserve = state.at(now).reserve_of(pool)
    sent: list[Dispatch] = []
    if held.pool.minimum_shares:
        _by_turns(state, held, reserve, sent, now)
    else:
        for queue in held.queues:
            while queue.depth:
                choice = _ask(held, queue, reserve, now)
                if choice is None:
                    break
                sent.append(_commit(state, held, queue, choice, now))
    if not held.waiting:
        held.throughput.idle()
    return sent


def _by_turns(
    state: State, pool: PoolState, reserve: Reserve | None, sent: list[Dispatch], now: Micros
) -> None:
    """With minimum shares each request is asked for anew: the lane, what is owed most, the highest (R14).
    Whoever wants nothing of what is open is not asked again this time: what is open only shrinks."""
    asked: set[int] = set()
    while (queue := next_band(pool.queues, asked)) is not None:
        choice = _ask(pool, queue, reserve, now)
        if choice is None:
            asked.add(queue.band)
        else:
            sent.append(_commit(state, pool, queue, choice, now))


def _ask(pool: PoolState, queue: Queue, reserve: Reserve | None, now: Micros) -> Choice | None:
    """What a queue wants of what is open; whoever may has a home before."""
    if queue.ageing and queue.ageing[0][0] <= now:
        queue.age(now)
    if queue.wanting:
        if queue.depth == 1:
            choice = _alone(pool, queue, reserve, now)
            if choice is not None:
                return choice
        else:
            _find_homes(pool, queue, now)
    return _next(pool, queue, reserve, now)


def _alone(pool: PoolState, queue: Queue, reserve: Reserve | None, now: Micros) -> Choice | None:
    """The only request of a queue, if it may go at once: as from ``_find_homes`` and ``_next``, without being
    parked at its home in between. None: it has its home, if there is one, and is asked for as any other."""
    leaf = queue.wanting[0]
    if len(queue.wanting) > 1 or leaf.line is not None or len(leaf.rest) != 1 or leaf.homed:
        _find_homes(pool, queue, now)
        return None
    ticket = leaf.rest[0]
    home = choose(pool, queue, ticket, now)
    if home is None:
        return None
    leaf.rest.clear()
    leaf.listed = False
    queue.wanting.clear()
    if home.mask & pool.open_mask & pool.usable_mask and may_use(pool, queue, ticket, reserve):
        return _at_home(pool, ticket, home, now)
    queue.park(ticket, home)
    pool.moved(home)
    return None


def _find_homes(pool: PoolState, queue: Queue, now: Micros) -> None:
    """The first K = 8 requests of each leaf take a home."""
    wanting, queue.wanting = queue.wanting, []
    for leaf in wanting:
        leaf.listed = False
        while len(leaf.homed) < HOMED or leaf.overtaken():
            ticket = leaf.next_unhomed()
            if ticket is None:
                break
            if not place(pool, queue, ticket, now):
                leaf.put_back(ticket)
                break
            if len(leaf.homed) > HOMED:  # it goes before one that had a home (R17)
                last = leaf.homed.pop()
                home = last.home
                queue.unpark(last)
                leaf.put_back(last)
                if home is not None:
                    pool.moved(home)
        if leaf.has_unhomed and len(leaf.homed) < HOMED:
            leaf.listed = True
            queue.wanting.append(leaf)


def _next(pool: PoolState, queue: Queue, reserve: Reserve | None, now: Micros) -> Choice | None:
    """The next request of a queue that may go: at home if it is open, else stolen, else none."""
    open_mask = pool.open_mask & pool.usable_mask
    if not open_mask:
        return None
    least = pick(queue.root)
    if least is None:
        return None
    assert isinstance(least, Leaf)  # noqa: S101  only leaves hold requests
    for ticket in least.homed:
        home = ticket.home
        if home is not None and home.mask & open_mask and may_use(pool, queue, ticket, reserve):
            return _at_home(pool, ticket, home, now)
    queue.settle_homes()
    mask = queue.homed_mask & open_mask
    while mask:
        bit = mask & -mask
        mask ^= bit
        found = queue.first_at(bit.bit_length() - 1)
        if found is not None and found.home is not None and may_use(pool, queue, found, reserve):
            return _at_home(pool, found, found.home, now)
    return _steal(pool, queue, least, open_mask, reserve, now)


def _at_home(pool: PoolState, ticket: Ticket, home: Replica, now: Micros) -> Choice:
    depth = ticket.home_depth
    # Beyond where the search for matches ended, home may hold a little all the same.
    if ticket.request.blocks and (
        ticket.matched_at[0] != pool.index.version or (not depth and ticket.matches)
    ):
        return (ticket, home, *estimate_here(pool, ticket, home))
    return ticket, home, ticket.home_prefill, depth


def _steal(
    pool: PoolState, queue: Queue, least: Leaf, open_mask: int, reserve: Reserve | None, now: Micros
) -> Choice | None:
    """A head whose wait at home exceeds its cost at an open replica by ``release_after`` leaves home:
    the fairest leaf's, or the first of the replica with the most work parked."""
    below = pool.below(queue)
    if least.homed:
        choice = _leaves_home(pool, queue, least.homed[0], open_mask, reserve, below, now)
        if choice is not None:
            return choice
    busiest = pool.busiest(queue.homed_mask & ~open_mask, below)
    if busiest is None:
        return None
    head = queue.first_at(busiest.bit)
    if head is None or head.leaf is None or not within(head.leaf, LOCALITY_SLACK):
        return None
    return _leaves_home(pool, queue, head, open_mask, reserve, below, now)


def _leaves_home(
    pool: PoolState,
    queue: Queue,
    ticket: Ticket,
    open_mask: int,
    reserve: Reserve | None,
    below: Below,
    now: Micros,
) -> Choice | None:
    home, release = ticket.home, release_after(queue, ticket)
    among = open_mask & ~ticket.excluded
    if home is None or release is None or not among or not may_use(pool, queue, ticket, reserve):
        return None
    best: Choice | None = None
    cost = 0
    candidates = pool.least_open(among)
    if ticket.request.blocks and len(candidates) < among.bit_count():
        for _, mask in pool.index.match(ticket.request.blocks, among, 1):
            candidates.append(pool.replicas[mask.bit_length() - 1])
    for replica in candidates:
        prefill, matched = estimate_here(pool, ticket, replica)
        here = replica.ahead(below) + prefill
        if best is None or here < cost:
            best, cost = (ticket, replica, prefill, matched), here
    # Its load says how long home will take, unless it is late already: then as long again as it is late.
    wait = max(home.ahead(below), now - ticket.homed_at - ticket.home_estimate)
    if best is None or not (wait > cost + release or not home.mask & pool.usable_mask):
        return None
    ticket.decision.trace.append((reasons.MOVED, home.url, wait, cost))
    return best


def may_use(pool: PoolState, queue: Queue, ticket: Ticket, reserve: Reserve | None) -> bool:
    """R19: of sequences and of KV memory, ordinary requests leave free what their tier holds back and what
    is reserved, but for what is lent to those that will be over within ``reclaim_within``."""
    kept = ticket.scope.tier.holdback_ppm
    if queue.is_lane or (reserve is None and not kept):
        return True
    spec = pool.pool
    if reserve is not None:
        kept += reserve.kept_ppm
    if leaves_free(pool, kept):
        return True
    if reserve is None or not reserve.lent:
        return False
    lent_to = reserve.without(residual(spec, ticket.uncached, ticket.output))
    return lent_to < reserve.kept_ppm and leaves_free(pool, ticket.scope.tier.holdback_ppm + lent_to)


def leaves_free(pool: PoolState, kept: Ppm) -> bool:
    """Would one more ordinary request leave this part of every stock of the pool to others?"""
    spec = pool.pool
    free = (MILLION - kept) * len(pool.replicas)
    return (
        pool.ordinary_sequences * MILLION < free * spec.sequences
        and pool.ordinary_kv * MILLION < free * spec.kv_tokens
    )


def _commit(state: State, pool: PoolState, queue: Queue, choice: Choice, now: Micros) -> Dispatch:
    """Send one request: pay its estimate, occupy its replica, remember its prompt there."""
    ticket, replica, prefill, matched = choice
    request, decision = ticket.request, ticket.decision
    blocks = request.blocks
    prompt = request.prompt_tokens
    cached = matched_tokens(prompt, matched, len(blocks)) if matched else 0
    uncached = prompt - cached
    leaf = ticket.leaf
    assert leaf is not None  # noqa: S101  it was in the queue
    tag = leaf.start
    home = ticket.home
    cost = ticket.scope.model.cost(uncached, cached, ticket.output)
    lane = ticket.lane is not None
    if pool.pool.minimum_shares and not lane:
        owed = queue.deficit
        queue.take(ticket, cost)
        ticket.owed = served(pool.queues, queue, cost)
        if ticket.owed:
            decision.trace.append((reasons.OWED, queue.band, owed // MILLION, queue.minimum))
    else:
        queue.take(ticket, cost)
    ticket.charged_cost = 0 if lane else cost
    ticket.cost = cost
    ticket.uncached, ticket.cached = uncached, cached
    pool.waiting -= 1
    state.tickets.pop(request.request_id, None)
    pool.throughput.served(queue.band, cost, now)
    ticket.status = IN_FLIGHT
    ticket.attempt += 1
    ticket.progressed = ticket.output
    ticket.replica = replica
    ticket.prefilling = True
    ticket.on_replica_us = prefill
    ticket.kv_tokens = prompt + ticket.output
    if replica.awaited is None:
        replica.awaited = ticket
    replica.newest = ticket
    replica.backlog_us += prefill
    replica.sequences += 1
    replica.kv_tokens += ticket.kv_tokens
    if not lane:
        pool.ordinary_sequences += 1
        pool.ordinary_kv += ticket.kv_tokens
    pool.computed(replica, uncached)
    if request.stickiness != request.request_id:
        pool.sessions.sent(request.stickiness, replica, prompt, now)
    if blocks:
        pool.index.insert(blocks, replica.bit, matched)
    if replica.health.state != "healthy":
        replica.health.sent(now)
        pool.refresh_health(now)
    pool.refresh(replica)
    if home is not None and home is not replica:
        pool.moved(home)
    queue_us = now - ticket.enqueued
    decision.trace.append((reasons.SENT, replica.url, ticket.attempt, queue_us, cost, tag, leaf.start))
    return Dispatch(
        decision,
        request,
        pool.pool.name,
        replica.url,
        ticket.attempt,
        queue_us,
        now,
        ticket.seen,
        ticket,
    )
