"""Which replica should this request call home? (R20, R21)

Candidates are the (at most four) replicas with the deepest match and the four least loaded. A
candidate's score is its estimated time to first byte: prefill ahead of the request plus its own
uncached prefill. The deepest match is kept while it costs at most ``release_after`` more than the
best; a prompt that shares only a first block with everybody matches nobody by more than a fifth, and
goes where the least work is.
"""

from __future__ import annotations

from typing import Final

from coordination.program.records import MILLION, Micros
from coordination.scheduling.decisions import ConsideredTuple, Ticket
from coordination.scheduling.pools import PoolState
from coordination.scheduling.replicas import Replica
from coordination.scheduling.waiting import Queue

DEEPEST: Final = 4
LEAST_LOADED: Final = 4
STICKY_PPM: Final = MILLION // 5
"""A match below a fifth of the prompt is no reason to stay."""
NOT_YET: Final = (1 << 62, 0, 0)
FULL_PENALTY: Final[Micros] = MILLION
"""Estimated wait for a place at a replica that has none left, or no KV memory."""


def place(pool: PoolState, queue: Queue, ticket: Ticket, now: Micros) -> bool:
    """Give a waiting request its home. False when no replica may be chosen at all."""
    among = pool.usable_mask & ~ticket.excluded or pool.usable_mask
    if not among:
        return False
    strategy = ticket.route.record.placement.strategy
    if strategy == "balanced":
        home, prefill = _balanced(pool, queue, ticket, among)
    else:
        home = _in_turn(pool, among) if strategy == "round_robin" else _least_outstanding(pool, among)
        matched = pool.index.depth(ticket.request.blocks, home.bit) if ticket.request.blocks else 0
        prefill = pool.prefill_us(_uncached(ticket, matched))
        ticket.considered = (
            (
                home,
                home.backlog_us + home.parked_us,
                prefill,
                matched,
                home.recent,
                pool.open_mask & home.mask != 0,
                home.bit not in pool.troubled,
            ),
        )
    ticket.home_prefill = prefill
    ticket.home_estimate = home.backlog_us + home.parked_us + prefill
    ticket.homed_at = now
    queue.park(ticket, home)
    pool.moved(home)
    return True


def release_after(queue: Queue, ticket: Ticket) -> Micros | None:
    """How much longer home may take than the quickest: the lane waits for nobody; the plain
    strategies never leave their choice (None)."""
    placement = ticket.route.record.placement
    if placement.strategy != "balanced":
        return None
    return 0 if queue.is_lane else placement.release_after


def estimate_here(pool: PoolState, ticket: Ticket, replica: Replica) -> tuple[Micros, Micros, int]:
    """(time to first byte, prefill, matched blocks) of a request on a replica, were it sent now."""
    blocks = ticket.request.blocks
    matched = pool.index.depth(blocks, replica.bit) if blocks else 0
    prefill = pool.prefill_us(_uncached(ticket, matched))
    return replica.backlog_us + replica.parked_us + prefill, prefill, matched


def matches(pool: PoolState, ticket: Ticket, among: int) -> list[tuple[int, int]]:
    """The deepest matches, from admission's own look if nothing has changed since."""
    asked = (pool.index.version, among)
    if ticket.matched_at != asked:
        ticket.matches = pool.index.match(ticket.request.blocks, among, DEEPEST)
        ticket.matched_at = asked
    return ticket.matches


def _balanced(pool: PoolState, queue: Queue, ticket: Ticket, among: int) -> tuple[Replica, Micros]:
    blocks = ticket.request.blocks
    prompt = ticket.request.prompt_tokens
    count = len(blocks)
    full = pool.prefill_us(prompt)
    least = pool.least_loaded(among, LEAST_LOADED)
    found = matches(pool, ticket, among) if blocks else []
    opened, troubled = pool.open_mask, pool.troubled
    considered: list[ConsideredTuple] = []
    deepest = depth = seen = 0
    left = DEEPEST
    for depth, mask in found:
        deepest = deepest or depth
        prefill = pool.prefill_us(prompt - prompt * 2 * depth // (2 * count + 1))
        for replica in least:
            if replica.mask & mask:
                seen |= replica.mask
                left -= 1
                considered.append(
                    (
                        replica,
                        replica.backlog_us + replica.parked_us,
                        prefill,
                        depth,
                        replica.recent,
                        opened & replica.mask != 0,
                        replica.bit not in troubled,
                    )
                )
        mask &= ~seen
        while mask and left > 0:
            bit = mask & -mask
            mask ^= bit
            left -= 1
            seen |= bit
            replica = pool.replicas[bit.bit_length() - 1]
            considered.append(
                (
                    replica,
                    replica.backlog_us + replica.parked_us,
                    prefill,
                    depth,
                    replica.recent,
                    opened & bit != 0,
                    replica.bit not in troubled,
                )
            )
    # The search stopped at four matches: a replica without one may still match, less deeply.
    unknown = left <= 0 and depth * MILLION >= count * STICKY_PPM
    for replica in least:
        if not replica.mask & seen:
            shallow = pool.index.depth(blocks, replica.bit) if unknown else 0
            prefill = pool.prefill_us(prompt - prompt * 2 * shallow // (2 * count + 1)) if shallow else full
            considered.append(
                (
                    replica,
                    replica.backlog_us + replica.parked_us,
                    prefill,
                    shallow,
                    replica.recent,
                    opened & replica.mask != 0,
                    replica.bit not in troubled,
                )
            )
    best = stay = considered[0]
    best_score = stay_score = NOT_YET
    for one in considered:
        replica = one[0]
        penalty = 0 if one[5] else _pressure(pool, replica)
        score = (one[1] + one[2] + penalty, one[4], replica.bit)
        if score < best_score:
            best, best_score = one, score
        if one[3] == deepest and score < stay_score:
            stay, stay_score = one, score
    if deepest and deepest * MILLION >= count * STICKY_PPM:
        release = release_after(queue, ticket) or 0
        if stay_score[0] <= best_score[0] + release:
            best = stay
    ticket.considered = tuple(considered)
    return best[0], best[2]


def _pressure(pool: PoolState, replica: Replica) -> Micros:
    """Added to the estimate of a closed replica that is closed for want of places or KV memory."""
    spec = pool.pool
    return 0 if replica.has_room(spec.sequences, spec.kv_tokens) else FULL_PENALTY


def _uncached(ticket: Ticket, matched: int) -> int:
    prompt = ticket.request.prompt_tokens
    return prompt - prompt * 2 * matched // (2 * len(ticket.request.blocks) + 1)


def _in_turn(pool: PoolState, among: int) -> Replica:
    bits = [bit for bit in pool.replicas if among >> bit & 1]
    pool.turn += 1
    return pool.replicas[bits[(pool.turn - 1) % len(bits)]]


def _least_outstanding(pool: PoolState, among: int) -> Replica:
    eligible = (replica for replica in pool.replicas.values() if replica.mask & among)
    return min(eligible, key=lambda one: (one.sequences + one.parked, one.recent, one.bit))
