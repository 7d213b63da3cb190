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
from coordination.scheduling.decisions import Considered, Ticket
from coordination.scheduling.pools import PoolState
from coordination.scheduling.replicas import Replica
from coordination.scheduling.waiting import Queue

DEEPEST: Final = 4
LEAST_LOADED: Final = 4
STICKY_PPM: Final = MILLION // 5
"""A match below a fifth of the prompt is no reason to stay."""
FULL_PENALTY: Final[Micros] = MILLION
"""Estimated wait for a place at a replica that is full, or nearly out of KV memory."""


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
        ticket.considered = (_considered(pool, home, prefill, matched),)
    ticket.home_prefill = prefill
    ticket.home_estimate = home.backlog_us + home.parked_us + prefill
    ticket.homed_at = now
    queue.park(ticket, home)
    pool.refresh(home)
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


def _balanced(pool: PoolState, queue: Queue, ticket: Ticket, among: int) -> tuple[Replica, Micros]:
    blocks = ticket.request.blocks
    prompt = ticket.request.prompt_tokens
    count = len(blocks)
    full = pool.prefill_us(prompt)
    least = pool.least_loaded(among, LEAST_LOADED)
    considered: list[Considered] = []
    best: Considered | None = None
    best_score = (0, 0, 0)
    seen = 0
    deepest = 0
    deep: list[Considered] = []
    if blocks:
        light = 0
        for replica in least:
            light |= replica.mask
        left = DEEPEST
        for depth, mask in pool.index.match(blocks, among, DEEPEST):
            deepest = deepest or depth
            prefill = pool.prefill_us(prompt - prompt * 2 * depth // (2 * count + 1))
            # More replicas than may be looked at: the least loaded of them, not the first by number.
            for bits in (mask & light, mask & ~light) if mask.bit_count() > left else (mask,):
                while bits and left:
                    bit = bits & -bits
                    bits ^= bit
                    left -= 1
                    seen |= bit
                    one = _considered(pool, pool.replicas[bit.bit_length() - 1], prefill, depth)
                    considered.append(one)
                    if depth == deepest:
                        deep.append(one)
    for replica in least:
        if not replica.mask & seen:
            depth = pool.index.depth(blocks, replica.bit) if seen and deepest else 0
            prefill = full if not depth else pool.prefill_us(prompt - prompt * 2 * depth // (2 * count + 1))
            considered.append(_considered(pool, replica, prefill, depth))
    for one in considered:
        score = (one.load_us + one.prefill_us + _pressure(pool, one), one.recent_tokens, one.replica.bit)
        if best is None or score < best_score:
            best, best_score = one, score
    assert best is not None  # noqa: S101  `among` is not empty
    if deep and deepest * MILLION >= count * STICKY_PPM:
        stay = min(
            deep, key=lambda one: (one.load_us + _pressure(pool, one), one.recent_tokens, one.replica.bit)
        )
        release = release_after(queue, ticket) or 0
        if stay.load_us + stay.prefill_us + _pressure(pool, stay) <= best_score[0] + release:
            best = stay
    ticket.considered = tuple(considered)
    return best.replica, best.prefill_us


def _considered(pool: PoolState, replica: Replica, prefill: Micros, matched: int) -> Considered:
    return Considered(
        replica,
        replica.backlog_us + replica.parked_us,
        prefill,
        matched,
        replica.recent,
        bool(pool.open_mask & replica.mask),
        replica.health.state == "healthy",
    )


def _pressure(pool: PoolState, one: Considered) -> Micros:
    """KV pressure penalty: a full replica costs a wait; above 80 % of its KV memory, part of one."""
    replica, spec = one.replica, pool.pool
    if not replica.has_room(spec.sequences, spec.kv_tokens):
        return FULL_PENALTY
    used = (replica.kv_tokens + replica.foreign_kv_tokens) * 5
    if used > spec.kv_tokens * 4:
        return FULL_PENALTY * (used - spec.kv_tokens * 4) // (2 * spec.kv_tokens)
    return 0


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
