"""Which replica should this request call home? (R20, R21)

Candidates are the (at most four) replicas with the deepest match and the four least loaded. A
candidate's score is its estimated time to first byte: prefill ahead of the request plus its own
uncached prefill. The deepest match is kept while it costs at most ``release_after`` more than the
best; a prompt that shares only a first block with everybody matches nobody by more than a fifth, and
goes where the least work is. The first request of a session also weighs how much lives at a replica
already (docs/adr/0091): it will be back there. Other strategies lean one way, or weigh scorers instead.
"""

from __future__ import annotations

from typing import Final

from coordination.program.records import MILLION, Micros
from coordination.scheduling.decisions import ConsideredTuple, Level, Ticket
from coordination.scheduling.pools import PoolState
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.replicas import GATE_US, Replica
from coordination.scheduling.scorers import Candidate, best_of
from coordination.scheduling.waiting import Queue

DEEPEST: Final = 4
LEAST_LOADED: Final = 4
STICKY_PPM: Final = MILLION // 5
"""A match below a fifth of the prompt is no reason to stay."""
Below = list[dict[int, int]]
"""By lower band: bit of a replica -> prefill of what waits for it there (``PoolState.below``)."""
NOT_YET: Final[Micros] = 1 << 62
NO_MATCHES: Final[list[tuple[int, int]]] = []
NOBODY: Final[frozenset[int]] = frozenset()
SETTLED: Final[Micros] = 2_500_000
"""What it weighs against a replica, for a session that settles, that as much context as fills its memory
lives there already, if it is sure to come back."""
FULL_PENALTY: Final[Micros] = MILLION
"""Estimated wait for a place at a replica that has none left, or no KV memory."""


def place(pool: PoolState, queue: Queue, ticket: Ticket, now: Micros) -> bool:
    """Give a waiting request its home. False when no replica may be chosen at all."""
    home = choose(pool, queue, ticket, now)
    if home is None:
        return False
    queue.park(ticket, home)
    pool.moved(home)
    return True


def choose(pool: PoolState, queue: Queue, ticket: Ticket, now: Micros) -> Replica | None:
    """Which home a request takes, with what it will find there; it is not parked. None: there is none."""
    among = pool.usable_mask & ~ticket.excluded or pool.usable_mask
    if not among:
        return None
    wanted = ticket.route.record.placement
    strategy = wanted.strategy
    below = pool.below(queue)
    if strategy in PLAIN and not wanted.scorers:
        home = PLAIN[strategy](pool, among, below)
        matched = pool.index.depth(ticket.request.blocks, home.bit) if ticket.request.blocks else 0
        prefill = pool.prefill_us(_uncached(ticket, matched))
        ticket.seen = (
            (
                home,
                home.ahead(below),
                prefill,
                matched,
                home.recent,
                pool.open_mask & home.mask != 0,
                home.bit not in pool.troubled,
            ),
        )
    else:
        home, prefill = _estimated(pool, queue, ticket, among, below, now)
    ticket.home_prefill = prefill
    ticket.home_estimate = home.ahead(below) + prefill
    ticket.homed_at = now
    return home


def sticky_depth(blocks: int) -> int:
    """The least match of a prompt that is a reason to stay: a fifth of it."""
    return -(-blocks * STICKY_PPM // MILLION)


def release_after(queue: Queue, ticket: Ticket) -> Micros | None:
    """How much longer home may take than the quickest: the lane waits for nobody, nor does who looks at
    time or load alone; who looks at the cache alone, or at neither, never leaves (None)."""
    placement = ticket.route.record.placement
    if placement.scorers:
        return 0 if queue.is_lane else placement.release_after
    if placement.strategy == "balanced":
        return 0 if queue.is_lane else placement.release_after
    return 0 if placement.strategy in ("latency_first", "spread") else None


def estimate_here(
    pool: PoolState, ticket: Ticket, replica: Replica, below: Below
) -> tuple[Micros, Micros, int]:
    """(time to first byte, prefill, matched blocks) of a request on a replica, were it sent now."""
    blocks = ticket.request.blocks
    matched = pool.index.depth(blocks, replica.bit) if blocks else 0
    prefill = pool.prefill_us(_uncached(ticket, matched))
    return replica.ahead(below) + prefill, prefill, matched


def matches(pool: PoolState, ticket: Ticket, among: int) -> list[tuple[int, int]]:
    """The deepest matches, from admission's own look if nothing has changed since."""
    asked = (pool.index.version, among)
    if ticket.matched_at != asked:
        blocks = ticket.request.blocks
        ticket.matches = pool.index.match(blocks, among, DEEPEST, sticky_depth(len(blocks)))
        ticket.matched_at = asked
    return ticket.matches


def _estimated(
    pool: PoolState, queue: Queue, ticket: Ticket, among: int, below: Below, now: Micros
) -> tuple[Replica, Micros]:
    """Home by the estimated first byte, or by what the route weighs: (replica, prefill there)."""
    placement = ticket.route.record.placement
    blocks = ticket.request.blocks
    prompt = ticket.request.prompt_tokens
    pace = pool.pool.prefill_ns_per_token
    opened, troubled = pool.open_mask, pool.troubled
    least = pool.least_ahead(among, below) if below else pool.least_loaded(among, LEAST_LOADED)
    found = matches(pool, ticket, among) if blocks else NO_MATCHES
    if not found and least[0].mask & opened and not placement.scorers and not placement.sticky_for:
        # The prefill is the same everywhere, so the least loaded of the open is the best of them.
        prefill = prompt * pace // 1000
        if not below:
            keys = [one.key for one in least]  # up to date: they were just put in order
            ticket.seen = Level(least, keys, prefill, opened, frozenset(troubled) if troubled else NOBODY)
            return least[0], prefill
        ticket.seen = tuple(
            [
                (
                    one,
                    one.ahead(below),
                    prefill,
                    0,
                    one.recent,
                    opened & one.mask != 0,
                    not troubled or one.bit not in troubled,
                )
                for one in least
            ]
        )
        return least[0], prefill
    lives_at, kept, settles = _session(pool, ticket, among, now)
    candidates = _candidates(pool, len(blocks), least, found)
    more = [kept] if kept is not None else []
    if ticket.request.adapter and placement.scorers.get("adapter"):
        more += _with_adapter(pool, ticket.request.adapter, among, below)
    for other in more:
        if all(one is not other for _, one in candidates):
            candidates.append((pool.index.depth(blocks, other.bit) if blocks else 0, other))
    if placement.max_imbalance_ppm is not None:
        candidates = _even(candidates, least, below, placement.max_imbalance_ppm)
    deepest = max(depth for depth, _ in candidates)
    sticky = deepest and deepest >= sticky_depth(len(blocks)) and not settles
    settled = SETTLED * pool.sessions.weight() // MILLION if settles else 0
    considered: list[ConsideredTuple] = []
    best = stay = least[0]
    best_us = stay_us = NOT_YET
    best_prefill = stay_prefill = 0
    priced, prefill = 0, prompt * pace // 1000
    for depth, replica in candidates:
        if depth != priced:
            priced = depth
            prefill = (prompt - matched_tokens(prompt, depth, len(blocks))) * pace // 1000
        load = replica.ahead(below) if below else replica.backlog_us + replica.parked_us
        recent = replica.recent
        is_open = opened & replica.mask != 0
        considered.append(
            (replica, load, prefill, depth, recent, is_open, not troubled or replica.bit not in troubled)
        )
        score = load + prefill if is_open else load + prefill + _pressure(pool, replica)
        if settles:
            score += replica.resident * settled // pool.pool.kv_tokens
        if score < best_us or (score == best_us and recent < best.recent):
            best, best_us, best_prefill = replica, score, prefill
        if replica is kept or (
            stay is not kept
            and depth == deepest
            and (score < stay_us or (score == stay_us and recent < stay.recent))
        ):
            stay, stay_us, stay_prefill = replica, score, prefill
    ticket.seen = tuple(considered)
    if placement.scorers:
        rated = [Candidate(one[0], one[1], one[2], one[3]) for one in considered]
        adapter = ticket.request.adapter
        chosen = best_of(rated, placement.scorers, pool.pool, len(blocks), lives_at, adapter)
        return chosen.replica, chosen.prefill_us
    if (sticky or stay is kept) and stay is not best:
        if placement.strategy == "cache_first":
            return stay, stay_prefill
        margin = release_after(queue, ticket)
        if margin is not None and stay_us <= best_us + margin:
            return stay, stay_prefill
    return best, best_prefill


def _with_adapter(pool: PoolState, adapter: str, among: int, below: Below) -> list[Replica]:
    """The least loaded of those that have it in use or loaded."""
    holding = 0
    for replica in pool.replicas.values():
        if adapter in replica.adapters or adapter in replica.loaded:
            holding |= replica.mask
    holding &= among
    if not holding:
        return []
    return pool.least_ahead(holding, below) if below else pool.least_loaded(holding, LEAST_LOADED)


def _session(
    pool: PoolState, ticket: Ticket, among: int, now: Micros
) -> tuple[Replica | None, Replica | None, bool]:
    """(where the session lives, where it is to be kept, whether it has yet to settle).

    A session settles with its first request: that weighs where many others live already, and is no reason
    to stay where a prefix is that all of them share.
    """
    session = ticket.request.stickiness
    if session == ticket.request.request_id:
        return None, None, False
    home = pool.sessions.home(session)
    if home is None:
        return None, None, ticket.route.record.placement.strategy == "balanced"
    replica, last = home
    keeps = replica.mask & among and now - last < ticket.route.record.placement.sticky_for
    return replica, replica if keeps else None, False


def _even(
    candidates: list[tuple[int, Replica]], least: list[Replica], below: Below, most_ppm: int
) -> list[tuple[int, Replica]]:
    """Without those whose load is over so many times the least: none is preferred beyond that. What the
    gate lets through is no load."""
    limit = max(GATE_US, least[0].ahead(below)) * most_ppm // MILLION
    return [one for one in candidates if one[1].ahead(below) <= limit or one[1] is least[0]]


def _candidates(
    pool: PoolState, blocks: int, least: list[Replica], found: list[tuple[int, int]]
) -> list[tuple[int, Replica]]:
    """(matched blocks, replica): the four deepest matches, then whoever of the least loaded is left.

    A match too shallow to stay for makes nobody a candidate: of those that match as little, the least
    loaded are the ones to look at, not the first by number. Everybody shares block 0.
    """
    candidates: list[tuple[int, Replica]] = []
    enough = sticky_depth(blocks)
    seen, left = 0, DEEPEST
    for depth, mask in found:
        for replica in least:
            if replica.mask & mask:
                seen |= replica.mask
                candidates.append((depth, replica))
                left -= 1
        if depth < enough:
            continue
        mask &= ~seen
        while mask and left > 0:
            bit = mask & -mask
            mask ^= bit
            left -= 1
            candidates.append((depth, pool.replicas[bit.bit_length() - 1]))
    for replica in least:
        if not replica.mask & seen:
            candidates.append((0, replica))
    return candidates


def _pressure(pool: PoolState, replica: Replica) -> Micros:
    """Added to the estimate of a closed replica that is closed for want of places or KV memory."""
    spec = pool.pool
    return 0 if replica.has_room(spec.sequences, spec.kv_tokens) else FULL_PENALTY


def _uncached(ticket: Ticket, matched: int) -> int:
    prompt = ticket.request.prompt_tokens
    return prompt - matched_tokens(prompt, matched, len(ticket.request.blocks))


def _in_turn(pool: PoolState, among: int, _: Below) -> Replica:
    bits = [bit for bit in pool.replicas if among >> bit & 1]
    pool.turn += 1
    return pool.replicas[bits[(pool.turn - 1) % len(bits)]]


def _least_outstanding(pool: PoolState, among: int, _: Below) -> Replica:
    eligible = (replica for replica in pool.replicas.values() if replica.mask & among)
    return min(eligible, key=lambda one: (one.sequences + one.parked, one.recent, one.bit))


def _spread(pool: PoolState, among: int, below: Below) -> Replica:
    """Where the least work is, whatever is cached: of equals the one where the least lives."""
    least = pool.least_ahead(among, below) if below else pool.least_loaded(among, LEAST_LOADED)
    return min(least, key=lambda one: (one.ahead(below), one.resident, one.recent, one.bit))


PLAIN: Final = {"round_robin": _in_turn, "least_outstanding": _least_outstanding, "spread": _spread}
"""Strategies that look at no estimate."""
