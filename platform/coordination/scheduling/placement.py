"""Which replica should this request call home? (R20, R21)

Candidates are the (at most four) replicas with the deepest match and the four least loaded. A
candidate's score is its estimated time to first byte: prefill ahead of the request plus its own
uncached prefill. The deepest match is kept while it costs at most ``release_after`` more than the
best; a prompt that shares only a first block with everybody matches nobody by more than a fifth, and
goes where the least work is. The first request of a session also weighs how much lives at a replica
already (docs/adr/0091): it will be back there. Other strategies lean one way, or weigh scorers instead.
"""

from __future__ import annotations

from itertools import compress
from typing import Final

from coordination.program.records import MILLION, Micros
from coordination.scheduling.decisions import Ticket
from coordination.scheduling.pools import PoolState
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.replicas import GATE_US, Replica, key_of, load_in
from coordination.scheduling.scorers import Candidate, best_of
from coordination.scheduling.waiting import Queue

DEEPEST: Final = 4
LEAST_LOADED: Final = 4
STICKY_PART: Final = 5
"""A match below a fifth of the prompt is no reason to stay."""
Below = list[dict[int, int]]
"""By lower band: bit of a replica -> prefill of what waits for it there (``PoolState.below``)."""
NOT_YET: Final[Micros] = 1 << 61
NO_MATCHES: Final[list[tuple[int, int]]] = []
NONE_HELD: Final[list[int]] = []
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
    placement = ticket.route.record.placement
    below = pool.below(queue)
    blocks = ticket.request.blocks
    if placement.strategy in PLAIN and not placement.scorers:
        home = PLAIN[placement.strategy](pool, among, below)
        depth = pool.index.depth(blocks, home.bit) if blocks else 0
        prefill = pool.prefill_us(_uncached(ticket, depth))
        _remember(pool, ticket, [home], [key_of(home.ahead(below), home.recent, home.bit)], [depth])
    else:
        home, prefill, depth = _estimated(pool, queue, ticket, among, below, now)
    ticket.home_prefill = prefill
    ticket.home_depth = depth
    ticket.home_estimate = prefill + (home.ahead(below) if below else home.backlog_us + home.parked_us)
    ticket.homed_at = now
    return home


def sticky_depth(blocks: int) -> int:
    """The least match of a prompt that is a reason to stay: a fifth of it."""
    return -(-blocks // STICKY_PART)


def release_after(queue: Queue, ticket: Ticket) -> Micros | None:
    """How much longer home may take than the quickest: the lane waits for nobody, nor does who looks at
    time or load alone; who looks at the cache alone, or at neither, never leaves (None)."""
    placement = ticket.route.record.placement
    if placement.scorers:
        return 0 if queue.is_lane else placement.release_after
    if placement.strategy == "balanced":
        return 0 if queue.is_lane else placement.release_after
    return 0 if placement.strategy in ("latency_first", "spread") else None


def estimate_here(pool: PoolState, ticket: Ticket, replica: Replica) -> tuple[Micros, int]:
    """(prefill, matched blocks) of a request on a replica, were it sent there now."""
    blocks = ticket.request.blocks
    matched = pool.index.depth(blocks, replica.bit) if blocks else 0
    return pool.prefill_us(_uncached(ticket, matched)), matched


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
) -> tuple[Replica, Micros, int]:
    """Home by the estimated first byte, or by what the route weighs: (replica, prefill there, matched
    blocks). Of equal estimates the one counts where less was computed lately."""
    request, placement = ticket.request, ticket.route.record.placement
    blocks, prompt = request.blocks, request.prompt_tokens
    spec, opened = pool.pool, pool.open_mask
    pace, count = spec.prefill_ns_per_token, len(blocks)
    least = pool.least_ahead(among, below) if below else pool.least_loaded(among, LEAST_LOADED)
    found = matches(pool, ticket, among) if blocks else NO_MATCHES
    if not found and least[0].mask & opened and not placement.scorers and not placement.sticky_for:
        # The prefill is the same everywhere, so the least loaded of the open is the best of them.
        _remember(pool, ticket, least, _keys(least, below), NONE_HELD)
        return least[0], prompt * pace // 1000, 0
    lives_at, kept, settles = _session(pool, ticket, among, now)
    replicas, depths = _candidates(pool, count, least, found)
    more = [kept] if kept is not None else []
    if request.adapter and placement.scorers.get("adapter"):
        more += _with_adapter(pool, request.adapter, among, below)
    for other in more:
        if other not in replicas:
            replicas.append(other)
            depths.append(pool.index.depth(blocks, other.bit) if blocks else 0)
    if placement.max_imbalance_ppm is not None:
        replicas, depths = _even(replicas, depths, least, below, placement.max_imbalance_ppm)
    keys = _keys(replicas, below)
    _remember(pool, ticket, replicas, keys, depths)
    if placement.scorers:
        rated = _rated(ticket, replicas, depths, keys, pace)
        chosen = best_of(rated, placement.scorers, spec, count, lives_at, request.adapter)
        return chosen.replica, chosen.prefill_us, chosen.depth
    settled = SETTLED * pool.sessions.weight() // MILLION if settles else 0
    deepest = max(depths)
    best = stay = least[0]
    best_cost = stay_cost = NOT_YET
    best_recent = stay_recent = best_depth = stay_depth = priced = 0
    prefill = prompt * pace // 1000
    for position, replica in enumerate(replicas):
        depth = depths[position]
        if depth != priced:
            priced = depth
            prefill = (prompt - matched_tokens(prompt, depth, count)) * pace // 1000
        cost = (replica.ahead(below) if below else replica.backlog_us + replica.parked_us) + prefill
        if not opened & replica.mask and not replica.has_room(spec.sequences, spec.kv_tokens):
            cost += FULL_PENALTY
        if settled:
            cost += replica.resident * settled // spec.kv_tokens
        recent = replica.recent
        if cost < best_cost or (cost == best_cost and recent < best_recent):
            best, best_cost, best_recent, best_depth = replica, cost, recent, depth
        if replica is kept or (
            depth == deepest
            and stay is not kept
            and (cost < stay_cost or (cost == stay_cost and recent < stay_recent))
        ):
            stay, stay_cost, stay_recent, stay_depth = replica, cost, recent, depth
    if stay is not best and (stay is kept or (deepest and not settles and deepest >= sticky_depth(count))):
        margin = release_after(queue, ticket)
        if placement.strategy == "cache_first" or (margin is not None and stay_cost - best_cost <= margin):
            best, best_depth = stay, stay_depth
    if best_depth:
        prompt -= matched_tokens(prompt, best_depth, count)
    return best, prompt * pace // 1000, best_depth


def _keys(replicas: list[Replica], below: Below) -> list[int]:
    """Load, recent tokens and bit of each, of replicas that were just put in order."""
    if below:
        return [key_of(one.ahead(below), one.recent, one.bit) for one in replicas]
    return [one.key for one in replicas]


def _remember(
    pool: PoolState, ticket: Ticket, replicas: list[Replica], keys: list[int], depths: list[int]
) -> None:
    """What is known of the replicas looked at, for whoever asks why (``decisions.Looked``)."""
    request, troubled = ticket.request, pool.troubled
    ticket.seen = (
        replicas,
        keys,
        depths,
        request.prompt_tokens,
        len(request.blocks),
        pool.pool.prefill_ns_per_token,
        pool.open_mask,
        frozenset(troubled) if troubled else (),
    )


def _rated(
    ticket: Ticket, replicas: list[Replica], depths: list[int], keys: list[int], pace: int
) -> list[Candidate]:
    return [
        Candidate(one, load_in(key), _uncached(ticket, depth) * pace // 1000, depth)
        for one, depth, key in zip(replicas, depths, keys, strict=True)
    ]


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
    replicas: list[Replica], depths: list[int], least: list[Replica], below: Below, most_ppm: int
) -> tuple[list[Replica], list[int]]:
    """Without those whose load is over so many times the least: none is preferred beyond that. What the
    gate lets through is no load."""
    limit = max(GATE_US, least[0].ahead(below)) * most_ppm // MILLION
    within = [one.ahead(below) <= limit or one is least[0] for one in replicas]
    return list(compress(replicas, within)), list(compress(depths, within))


def _candidates(
    pool: PoolState, blocks: int, least: list[Replica], found: list[tuple[int, int]]
) -> tuple[list[Replica], list[int]]:
    """Replicas, and the matched blocks of each: the four deepest matches, then whoever of the least loaded
    is left.

    A match too shallow to stay for makes nobody a candidate: of those that match as little, the least
    loaded are the ones to look at, not the first by number. Everybody shares block 0.
    """
    replicas: list[Replica] = []
    depths: list[int] = []
    enough = sticky_depth(blocks)
    rest, left = least, DEEPEST
    for depth, mask in found:
        others: list[Replica] = []
        for replica in rest:
            if replica.mask & mask:
                mask ^= replica.mask
                replicas.append(replica)
                depths.append(depth)
                left -= 1
            else:
                others.append(replica)
        rest = others
        if depth < enough:
            continue
        while mask and left > 0:
            bit = mask & -mask
            mask ^= bit
            left -= 1
            replicas.append(pool.replicas[bit.bit_length() - 1])
            depths.append(depth)
    replicas += rest
    depths += [0] * len(rest)
    return replicas, depths


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
