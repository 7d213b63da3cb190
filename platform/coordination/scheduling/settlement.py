"""What did it really cost, and what is given back? (R6, R22)"""

# Every step of a request takes (program, state, ..., now), whether or not it needs them all today.
# ruff: noqa: ARG001

from __future__ import annotations

from typing import Final, Literal

from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling import reasons
from coordination.scheduling.bands import corrected
from coordination.scheduling.caps import release, withdraw
from coordination.scheduling.decisions import IN_FLIGHT, OVER, WAITING, Decision, Dispatch, Ticket
from coordination.scheduling.fairness import charge
from coordination.scheduling.health import FailureReason
from coordination.scheduling.replicas import Replica
from coordination.scheduling.reservations import burn
from coordination.scheduling.scopes import Amounts
from coordination.scheduling.state import State
from coordination.scheduling.values import Charge, Code, Usage

SHORTFALL: Final = "Reserved capacity is not available. This is on us."
CAPPED: Final = "Requests of this account occupy as much as they may, and none ended in time."
PROGRESS_TOKENS: Final = 256
"""Beyond the estimate, output is charged in steps of this many tokens."""


def first_byte(program: Program, state: State, dispatch: Dispatch, now: Micros) -> None:
    """The prefill is done: its replica's backlog is released, and the replica is well."""
    ticket = dispatch.ticket
    replica = ticket.replica
    if replica is None or ticket.status != IN_FLIGHT:
        return
    _prefilled(ticket, replica)
    if ticket.decision.promise is not None:
        ticket.decision.promise.first_byte(now)
    if replica.health.state != "healthy" or replica.health.score:
        replica.health.succeeded()
        ticket.pool.refresh_health(now)
    ticket.pool.refresh(replica)


def progress(program: Program, state: State, dispatch: Dispatch, output_tokens: int, now: Micros) -> None:
    """Charge output beyond the estimate, in steps of 256 tokens (R22)."""
    ticket = dispatch.ticket
    if ticket.status != IN_FLIGHT or output_tokens < ticket.progressed + PROGRESS_TOKENS:
        return
    uncached, cached = ticket.uncached, ticket.cached
    _account(ticket, Usage(uncached, cached, output_tokens), uncached, cached, output_tokens, now)
    ticket.progressed = output_tokens


def settle(
    program: Program,
    state: State,
    dispatch: Dispatch,
    usage: Usage,
    outcome: Literal["completed", "aborted"],
    now: Micros,
) -> Charge:
    """Replace everything estimated by what was used, once, and free what the attempt occupied.

    Raises ValueError when the attempt is already over.
    """
    ticket = dispatch.ticket
    if ticket.status != IN_FLIGHT or ticket.attempt != dispatch.attempt:
        raise ValueError(f"attempt {dispatch.attempt} of {dispatch.request.request_id} is already over")
    request, decision, replica, pool = ticket.request, ticket.decision, ticket.replica, ticket.pool
    computed, cached, output = usage.computed, usage.cached_input, usage.generated
    if replica is not None:
        health = replica.health
        if outcome == "completed":
            if not replica.retired:
                # Our prompt length is an estimate: compare in the engine's tokens.
                predicted = ticket.cached * (computed + cached) // max(1, request.prompt_tokens)
                pool.index.correct(replica.bit, predicted, cached)
            if health.state != "healthy" or health.score:
                health.succeeded()
                pool.refresh_health(now)
        elif health.state == "probing":
            health.abandoned(now)
            pool.refresh_health(now)
        pool.computed(replica, computed - ticket.uncached)
        _vacate(ticket, replica)
    cost = _account(ticket, usage, computed, cached, output, now)
    chain = ticket.chain
    chain.release(request.size)
    if ticket.caps:
        release(ticket)
    if ticket.courses or chain.lasting:
        _closed(state, ticket)
    ticket.status = OVER
    if decision.promise is not None:
        decision.promise.left(now)
    if outcome == "completed":
        ticket.plan.outputs.add(output)
    if ticket.courses:
        for course in ticket.courses.values():
            course.attained += cost
            course.last = now
    uncached_held, cached_held, output_held = decision.held
    error = computed + cached + output - uncached_held - cached_held - output_held
    spend = ticket.amounts[4]
    reservation = ticket.reservation
    done = dispatch.charge = Charge(
        request.request_id,
        dispatch.attempt,
        usage,
        cost,
        None if reservation is None else reservation.name,
        spend,
        decision.tier,
        error,
    )
    decision.trace.append((reasons.SETTLED, outcome, computed, cached, output, cost, spend, error))
    return done


def fail(
    program: Program,
    state: State,
    dispatch: Dispatch,
    reason: FailureReason,
    now: Micros,
) -> Decision | None:
    """An attempt failed before its first byte. The cost is refunded and one hold kept (R22).

    None: the request waits again, first of its leaf, for another replica: call ``dispatch``. A
    Decision: it is refused, everything is refunded.
    """
    ticket = dispatch.ticket
    if ticket.status != IN_FLIGHT or ticket.attempt != dispatch.attempt:
        raise ValueError(f"attempt {dispatch.attempt} of {dispatch.request.request_id} is already over")
    if ticket.second is not None:
        raise ValueError(f"attempt {ticket.second.attempt} goes on beside it: end it by ``hedging.lose``")
    replica, pool = ticket.replica, ticket.pool
    ticket.decision.trace.append((reasons.FAILED, dispatch.attempt, dispatch.replica, reason))
    if replica is not None:
        ticket.excluded |= replica.mask
        replica.health.failed(reason, now)
        pool.refresh_health(now)
        if reason == "connect" and not replica.retired:
            pool.index.remove_replica(replica.bit)  # a dead engine's cache is gone
            pool.index.add_replica(replica.bit, pool.pool.kv_tokens)
    if replica is not None:
        _vacate(ticket, replica)
    if ticket.charged_cost and ticket.leaf is not None:
        _charge(ticket, 0)
        ticket.owed = False
    retries = ticket.route.record.retries
    kind = "connect" if reason == "reset" else reason
    others = pool.usable_mask & ~ticket.excluded
    if kind in retries.on and ticket.attempt <= retries.attempts and others and ticket.queue is not None:
        ticket.status = WAITING
        ticket.attempt = max(ticket.attempt, ticket.tried)
        ticket.expires = max(ticket.expires, now + ticket.scope.tier.max_wait)
        pool.waiting += 1
        ticket.queue.prepend(ticket)
        state.waits(ticket)
        return None
    _refund(state, ticket, now)
    code: Code = "upstream_timeout" if reason == "timeout" else "upstream_failed"
    message = (
        "The model server did not answer in time." if reason == "timeout" else "The model server failed."
    )
    return _refused(ticket, code, message)


def cancel(program: Program, state: State, request_id: str, now: Micros) -> bool:
    """The client left while its request waited: full refund. False when it does not wait here."""
    ticket = state.tickets.pop(request_id, None)
    if ticket is None or ticket.status != WAITING:
        return False
    ticket.decision.trace.append((reasons.CANCELLED, now - ticket.enqueued))
    if ticket.decision.promise is not None:
        ticket.decision.promise.left(now)
    _unqueue(ticket)
    _refund(state, ticket, now)
    return True


def take_back(state: State, ticket: Ticket, now: Micros) -> None:
    """Take a waiting request out of its queue, with a full refund, to decide on it anew."""
    state.tickets.pop(ticket.request.request_id, None)
    _unqueue(ticket)
    _refund(state, ticket, now)


def expire(program: Program, state: State, now: Micros) -> list[Decision]:
    """Refuse what has waited too long, and hand over what was displaced (R18) since the last call.

    Time may also have freed delayed lane requests or ended an ejection: call ``dispatch`` afterwards
    for every pool in which something waits.
    """
    refused = list(state.displaced)
    state.displaced.clear()
    for ticket in state.expired(now):
        ticket.decision.trace.append((reasons.EXPIRED, now - ticket.enqueued))
        late = ticket.request.deadline is not None and now >= ticket.request.deadline
        code: Code = "deadline_unmeetable" if late else "capacity_exceeded"
        message = "No capacity became free in time. Please retry later."
        if ticket.reservation is not None:
            state.fell_short(ticket.reservation.name, ticket.decision)
        if ticket.decision.short is not None:
            code, message = "reservation_shortfall", SHORTFALL
        if ticket.capped_by is not None:
            code, message = "concurrency_exceeded", CAPPED
        _unqueue(ticket)
        _refund(state, ticket, now)
        state.tickets.pop(ticket.request.request_id, None)
        refused.append(_refused(ticket, code, message))
        refused[-1].retry_after_us = state.jitter(ticket.request.request_id, ticket.scope.tier.max_wait)
    return refused


def next_expiry(state: State) -> Micros | None:
    """When to call ``expire`` next; 0 is at once (something was displaced)."""
    if state.displaced:
        return 0
    found = state.next_timer()
    for pool in state.delaying:
        if pool.delayed and (found is None or pool.delayed[0][0] < found):
            found = pool.delayed[0][0]
    return found


def displace(state: State, ticket: Ticket, code: Code, message: str, now: Micros) -> None:
    """Refuse a waiting request for the sake of another (R18)."""
    _unqueue(ticket)
    _refund(state, ticket, now)
    state.tickets.pop(ticket.request.request_id, None)
    refused = _refused(ticket, code, message)
    refused.retry_after_us = state.jitter(ticket.request.request_id, ticket.scope.tier.max_wait)
    state.displaced.append(refused)


def _prefilled(ticket: Ticket, replica: Replica) -> None:
    if ticket.prefilling:
        ticket.prefilling = False
        replica.backlog_us -= ticket.on_replica_us
        replica.prefilled(ticket)


def _vacate(ticket: Ticket, replica: Replica) -> None:
    """The attempt no longer occupies its replica."""
    pool, tokens = ticket.pool, ticket.kv_tokens
    _prefilled(ticket, replica)
    replica.sequences -= 1
    replica.kv_tokens -= tokens
    if ticket.lane is None:
        pool.ordinary_sequences -= 1
        pool.ordinary_kv -= tokens
    ticket.replica = None
    pool.refresh(replica)


def _account(ticket: Ticket, usage: Usage, computed: int, cached: int, output: int, now: Micros) -> int:
    """Move every currency from what was charged so far to these tokens. Returns their fairness cost."""
    model, tariff = ticket.scope.model, ticket.plan.tariff
    cost = computed * model.uncached_ppm + cached * model.cached_ppm + output * model.output_ppm
    _, prompt_before, output_before, total_before, spend_before = ticket.amounts
    spend = 0
    if tariff is not None:
        spend = tariff.spend(
            usage.uncached_input, usage.cached_input, usage.output, usage.cache_write, usage.reasoning
        )
    prompt = computed + cached
    total = prompt + output
    delta = (0, prompt - prompt_before, output - output_before, total - total_before, spend - spend_before)
    ticket.chain.correct(delta, ticket.lane is None, ticket.enqueued, now, ticket.drawn)
    new: Amounts = (1, prompt, output, total, spend)
    ticket.amounts = new
    if ticket.courses:
        for course in ticket.courses.values():
            course.tokens += delta[3]
    if ticket.lane is not None and ticket.reservation is not None:
        burnt = burn(ticket.reservation, usage)
        ticket.lane.correct((burnt[0] - ticket.burn[0], burnt[1] - ticket.burn[1]), ticket.enqueued, now)
        ticket.burn = burnt
        if ticket.decision.promise is not None:
            ticket.decision.promise.correct(burnt, now)
    elif ticket.leaf is not None and cost != ticket.charged_cost:
        _charge(ticket, cost)
    return cost


def _charge(ticket: Ticket, cost: int) -> None:
    """The fairness tree, and what is owed to bands, come to stand as if this had been said at dispatch."""
    if ticket.leaf is not None:
        levy(ticket, cost - ticket.charged_cost)
        ticket.charged_cost = cost


def levy(ticket: Ticket, delta: int) -> None:
    """So much more (or less: negative) is paid for a request that is no longer in its queue."""
    leaf, queue = ticket.leaf, ticket.queue
    if leaf is None or queue is None:
        return
    charge(leaf, delta, ticket.weights)
    if ticket.pool.pool.minimum_shares:
        corrected(ticket.pool.queues, queue, delta, owed=ticket.owed)


def _closed(state: State, ticket: Ticket) -> None:
    """It holds nothing any more: what it used is used."""
    for course in ticket.courses.values():
        course.open -= 1
    if ticket.chain.lasting:
        state.open.discard(ticket)
        state.touched.add(ticket.chain)


def _refund(state: State, ticket: Ticket, now: Micros) -> None:
    """Never dispatched, or failed for good: all holds go back (R6)."""
    requests, prompt, output, total, spend = ticket.amounts
    ticket.chain.correct(
        (-requests, -prompt, -output, -total, -spend),
        ticket.lane is None,
        ticket.enqueued,
        now,
        ticket.drawn,
    )
    ticket.chain.release(ticket.request.size)
    if ticket.caps:
        release(ticket)
    for course in ticket.courses.values():  # the step was never made
        course.steps -= requests
        course.tokens -= total
    _closed(state, ticket)
    ticket.amounts = (0, 0, 0, 0, 0)
    if ticket.lane is not None:
        ticket.lane.correct((-ticket.burn[0], -ticket.burn[1]), ticket.enqueued, now)
        ticket.burn = (0, 0)
        if ticket.decision.promise is not None:
            ticket.decision.promise.correct((0, 0), now)
    ticket.status = OVER


def _unqueue(ticket: Ticket) -> None:
    """Take a waiting request out of its queue; a delayed one is not in it yet."""
    pool, queue = ticket.pool, ticket.queue
    if ticket.capped_by is not None:
        withdraw(ticket)
        return
    for position, (_, _, delayed) in enumerate(pool.delayed):
        if delayed is ticket:
            del pool.delayed[position]
            pool.delayed.sort()
            return
    if queue is None:
        return
    home = ticket.home
    queue.drop(ticket)
    pool.waiting -= 1
    if home is not None:
        pool.moved(home)


def _refused(ticket: Ticket, code: Code, message: str) -> Decision:
    decision = ticket.decision
    if decision.promise is not None:
        decision.promise.broken()
    decision.verdict = "refuse"
    decision.code = code
    decision.message = message
    return decision
