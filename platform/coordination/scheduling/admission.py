"""Is this request admitted, queued, downgraded, spilled or refused? (R4, R6 to R12)

Nothing is held until every check has passed, so a downgrade or a spill has nothing to release: it is
the next turn of the loop. The first failure decides.
"""

from __future__ import annotations

from heapq import heappush

from coordination.program.index import Program, Reservation, Scope
from coordination.program.records import MILLION, Micros
from coordination.scheduling import reasons, routing
from coordination.scheduling.caps import caps_of, enter, overfull
from coordination.scheduling.decisions import Decision, Ticket
from coordination.scheduling.feasibility import feasible
from coordination.scheduling.leaves import Leaf
from coordination.scheduling.lending import NOBODY, Path
from coordination.scheduling.limits import QuotaMeter
from coordination.scheduling.placement import DEEPEST, sticky_depth
from coordination.scheduling.plans import Place, Plan
from coordination.scheduling.pools import PoolState
from coordination.scheduling.prefix_index import matched_tokens
from coordination.scheduling.promises import promise
from coordination.scheduling.ramps import Ramp
from coordination.scheduling.refusals import (
    GROWS_TOO_FAST,
    NOTHING_TO_BORROW,
    SENTENCES,
    SET_ASIDE,
    TOO_MANY_BYTES,
    TOO_MUCH,
    name_giver,
    refuse,
    until,
)
from coordination.scheduling.reservations import LaneBuckets, burn
from coordination.scheduling.runs import broken, slowed, standing
from coordination.scheduling.scopes import SPEND, TOTAL, Amounts, Chain
from coordination.scheduling.state import State
from coordination.scheduling.values import Code, Request, Usage
from coordination.scheduling.waiting import Queue


def admit(program: Program, state: State, request: Request, now: Micros) -> Decision:
    """Decide one request. Unless refused it now waits in ``decision.pool``: call ``dispatch``.

    Raises KeyError when the request names a tenant, tier or model the program lacks (``classify``
    never does).
    """
    state.at(now)
    plan = state.plan(program, request.tenant, request.tier, request.model, now)
    decision = Decision(request, [plan.told])
    below = _under(state, plan, request, decision, now)
    if below is not None:
        _further_down(program, state, request, decision, below, now)
    if decision.promise is not None and decision.verdict == "refuse":
        decision.promise.broken()
    return decision


def _further_down(
    program: Program, state: State, request: Request, decision: Decision, tier: str | None, now: Micros
) -> None:
    """The first tier had no room: those it falls to, each once (R12)."""
    tried = [request.tier]
    while tier is not None and tier not in tried:
        decision.trace.append((reasons.DOWNGRADE, decision.tier, tier))
        tried.append(tier)
        decision.tier = tier
        decision.verdict, decision.code, decision.message, decision.retry_after_us = "admit", None, "", None
        decision.reservation = "none"
        plan = state.plan(program, request.tenant, tier, request.model, now)
        tier = _under(state, plan, request, decision, now)


def _under(state: State, plan: Plan, request: Request, decision: Decision, now: Micros) -> str | None:
    """Try one tier. Returns the tier to fall to, or None when ``decision`` is final."""
    trace, scope = decision.trace, plan.scope
    longest = request.longest_prompt or request.prompt_tokens
    if longest > plan.context_window:
        trace.append((reasons.CONTEXT, longest, plan.context_window))
        refuse(decision, "context_length_exceeded", None, plan.context_window, longest)
        return None
    route = routing.first_match(scope, request)
    if route is None:
        trace.append((reasons.NO_ROUTE, request.tenant, decision.tier, request.model, request.prompt_tokens))
        refuse(decision, "no_route", None)
        return None
    decision.route = route.name
    pools = routing.reach(state, scope, route, request, trace)
    if not pools:
        return _nowhere(state, scope, request, decision)
    chain = plan.chain
    ticket = Ticket(request, decision, plan, route, now)
    limits_passed = False
    for position, name in enumerate(pools):
        place = plan.places.get(name)
        if place is None:
            place = plan.places[name] = Place(state.pool(name, now), scope, state.segment)
        pool = ticket.pool = place.pool
        decision.pool = name
        if position:
            trace.append((reasons.SPILL, name))
        _estimate(ticket)
        if not position and not _first(state, ticket, now):  # A1
            return None
        if place.lanes or position:
            answer = _reserve(state, place, ticket, now)  # A2
            if answer is not None:
                return answer or None
        if ticket.lane is None:
            more = position + 1 < len(pools)
            if place.reserved_only:
                trace.append((reasons.RESERVED_ONLY, name))
                if more:
                    continue
                refuse(decision, "reservation_exceeded", None)
                decision.message = "Only requests within a reservation are served here."
                return _downgrade(scope)
            if not limits_passed:  # A3
                if not _rates(state, chain, ticket.amounts, decision, now):
                    return None
                if chain.ramp is not None and not _may_grow(state, chain.ramp, ticket, now):
                    return scope.tier.downgrade_to
                limits_passed = True
            if pool.waiting or not pool.healthy:  # A4
                verdict, answer = feasible(state, place, scope, request, decision, now, more)
                if decision.short is not None and decision.code == "capacity_exceeded":
                    decision.code = "reservation_shortfall"
                    decision.message = SENTENCES["reservation_shortfall"]
                if verdict == "spill":
                    continue
                if verdict == "refuse":
                    return answer
            if chain.caps and _capped(state, name, ticket):
                return None
        _enqueue(state, place, ticket, now)
        return None
    return None


def _nowhere(state: State, scope: Scope, request: Request, decision: Decision) -> str | None:
    """The route reaches no pool that may be used."""
    trace = decision.trace
    if trace[-1][0] is not reasons.DRAINED:
        trace.append((reasons.NO_LANE, decision.route))
        refuse(decision, "reservation_exceeded", None)
        return None
    why = sorted({line[2] for line in trace if line[0] is reasons.DRAINED})
    refuse(decision, "reservation_shortfall" if request.scale else "capacity_exceeded", None)
    decision.message = SET_ASIDE.format("; ".join(why))
    decision.retry_after_us = state.jitter(request.request_id, MILLION)
    return _downgrade(scope)


def _downgrade(scope: Scope) -> str | None:
    return scope.tier.downgrade_to if scope.tier.overflow == "downgrade" else None


def _capped(state: State, pool: str, ticket: Ticket) -> bool:
    """R18 for those that stand aside: as many as may wait in a queue, and the next is refused."""
    cap = overfull(state, ticket.chain, pool, ticket.scope.tier.max_depth)
    if cap is None:
        return False
    decision = ticket.decision
    decision.trace.append((reasons.CAP_FULL, cap.key[0], pool, cap.key[2].replace("_", " ")))
    refuse(decision, "concurrency_exceeded", None, cap.used, cap.limit)
    decision.retry_after_us = state.jitter(decision.request.request_id, MILLION)
    return True


def _estimate(ticket: Ticket) -> None:
    """The hold of R6: the whole prompt, and min(max_tokens, p80 of what this tenant's answers came to)."""
    request, decision, pool = ticket.request, ticket.decision, ticket.pool
    uncached = prompt = request.prompt_tokens
    blocks = request.blocks
    cached = 0
    if blocks:
        index, usable = pool.index, pool.usable_mask
        ticket.matched_at = (index.version, usable)
        count = len(blocks)
        matches = ticket.matches = index.match(blocks, usable, DEEPEST, sticky_depth(count))
        if matches:
            cached = matched_tokens(prompt, matches[0][0], count)
            uncached = prompt - cached
    plan = ticket.plan
    expected = output = plan.outputs.predict()
    most = request.max_tokens
    if most is not None and most < output:
        output = most
    model, tariff = ticket.scope.model, plan.tariff
    cost = uncached * model.uncached_ppm + cached * model.cached_ppm + output * model.output_ppm
    ticket.uncached, ticket.cached, ticket.output = uncached, cached, output
    decision.held = (uncached, cached, output)
    ticket.cost = decision.cost = cost
    spend = 0 if tariff is None else tariff.expected(uncached, cached, output)
    decision.trace.append((reasons.ESTIMATE, uncached, cached, output, expected, most, cost))
    ticket.amounts = (1, prompt, output, prompt + output, spend)


def _first(state: State, ticket: Ticket, now: Micros) -> bool:
    """A1 (R7): concurrency and spend. Says whether there is room."""
    chain = ticket.chain
    for slots in chain.slots:
        if slots.used >= slots.limit:
            ticket.decision.trace.append((reasons.CONCURRENCY, slots.name, slots.used, slots.limit))
            _too_many(state, ticket, slots.used, slots.limit)
            return False
    for cap in chain.sized:
        size = ticket.request.size
        if not cap.room(size):
            ticket.decision.trace.append((reasons.TOO_MANY_BYTES, cap.key[0], cap.used, cap.limit, size))
            _too_many(state, ticket, cap.used, cap.limit)
            ticket.decision.message = TOO_MANY_BYTES.format(cap.used, cap.limit)
            return False
    if ticket.request.task is not None and not _may_go_on(state, ticket, now):
        return False
    amount = ticket.amounts[SPEND]
    for meter in chain.spends:
        if meter.room(amount, now) < 0:
            decision = ticket.decision
            wait = meter.wait(amount, now)
            _, quota, _, per = meter.key
            decision.trace.append((reasons.SPEND, quota, per, meter.remaining(now), amount))
            name_giver(state, decision, meter)
            refuse(decision, "spend_exceeded", None)
            decision.retry_after_us = until(state, decision, meter, wait)
            return False
    spends = chain.shared_spends
    return not spends or _parts(state, spends, ticket.amounts, "spend_exceeded", ticket.decision, now)


def _too_many(state: State, ticket: Ticket, used: int, limit: int) -> None:
    refuse(ticket.decision, "concurrency_exceeded", None, used, limit)
    ticket.decision.retry_after_us = state.jitter(ticket.request.request_id, MILLION)


def _may_go_on(state: State, ticket: Ticket, now: Micros) -> bool:
    """The guards of its run and session (R7); and where its run stands, for ``las``."""
    request, decision, amounts = ticket.request, ticket.decision, ticket.amounts
    task = request.task
    if task is None:
        return True
    courses = ticket.courses = state.runs.courses(request.tenant, task, now)
    request.run = standing(task, courses)
    found = broken(ticket.chain.guards, courses, amounts[TOTAL], task.call, now)
    if found is None:
        return True
    (kind, quota, _, _), of, used, limit = found
    if of == "repeats":
        decision.trace.append((reasons.LOOP, kind, quota, used))
        refuse(decision, "run_loop_suspected", None, kind, used)
        return False
    decision.trace.append((reasons.RUN, kind, quota, of, used, limit, amounts[TOTAL]))
    refuse(decision, "run_budget_exceeded", None)
    decision.message = TOO_MUCH[of].format(kind, used, limit, amounts[TOTAL])
    if of == "branches":  # the others end; what is used up stays so
        decision.retry_after_us = state.jitter(request.request_id, MILLION)
    return False


def _parts(
    state: State,
    paths: tuple[Path, ...],
    amounts: Amounts,
    code: Code,
    decision: Decision,
    now: Micros,
) -> bool:
    """Of limits that tenants share (R9): within the own part, or can it be borrowed?"""
    for path in paths:
        amount = amounts[path.dimension]
        source = path.source(amount, now)
        if source != NOBODY:
            one = path.tenancies[source]
            of = one.pledge
            reason = reasons.BORROWED if source else reasons.GUARANTEED
            left = one.pool.remaining(now)
            decision.trace.append((reason, of.quota, of.of, of.per, of.guaranteed, of.pool, left))
            continue
        one = path.first_to_have(amount, now)
        of = one.pledge
        left = one.pool.remaining(now)
        decision.trace.append(
            (reasons.LENT_OUT, of.quota, of.of, of.per, of.guaranteed, of.pool, left, amount)
        )
        refuse(decision, code, None, of.of.replace("_", " "), of.per, of.guaranteed)
        decision.message = NOTHING_TO_BORROW.format(of.of.replace("_", " "), of.per)
        decision.retry_after_us = until(state, decision, one.pool, path.wait(amount, now))
        return False
    return True


def _tell_shadows(
    state: State,
    decision: Decision,
    refusing: list[tuple[int, QuotaMeter]],
    amounts: Amounts,
    now: Micros,
) -> None:
    """Limits on trial that would have refused the request: told, and counted."""
    for dimension, meter in refusing:
        _, quota, of, per = meter.key
        decision.trace.append(
            (reasons.SHADOW, quota, of, per, meter.limit, meter.remaining(now), amounts[dimension])
        )
        decision.shadowed = (*decision.shadowed, f"{quota}: {of} per {per}")
        state.shadowed[meter.key] = state.shadowed.get(meter.key, 0) + 1


def _reserve(state: State, place: Place, ticket: Ticket, now: Micros) -> str | None:
    """A2 (R8). None: go on (by the lane if ``ticket.lane`` is set); "": final; else the tier to fall to."""
    decision, pool = ticket.decision, place.pool
    ticket.lane = ticket.reservation = None
    if decision.reservation == "used":
        decision.reservation = "none"
    if not place.lanes:
        return None
    trace, (uncached, cached, output) = decision.trace, decision.held
    usage = Usage(uncached, cached, output)
    left_ppm = pool.left_of(place.reserve.kept_ppm) if place.reserve is not None else MILLION
    short: Reservation | None = None
    for reservation in place.lanes:
        buckets = state.buckets(reservation, now)
        buckets.follow(reservation, left_ppm, now)
        burnt = burn(reservation, usage)
        if buckets.wait(burnt, now):
            continue
        if buckets.left is not None and buckets.short(burnt, now):
            short = short or reservation
            continue
        ticket.lane, ticket.reservation = buckets, reservation
        decision.reservation = "used"
        left, left_out = buckets.input.remaining(now), buckets.output.remaining(now)
        trace.append((reasons.LANE, reservation.name, left // MILLION, left_out // MILLION))
        if reservation.ttft:
            promise(state, pool, reservation, buckets, burnt, decision, now)
        return None
    if short is not None:
        return _fall_short(state, short, usage, ticket, now)
    first = place.lanes[0]
    buckets = state.buckets(first, now)
    wait = buckets.wait(burn(first, usage), now)
    trace.append((reasons.LANE_FULL, first.name, wait, first.record.overflow.action))
    return _overflow(state, first, buckets, wait, ticket, "reservation_exceeded")


def _fall_short(
    state: State, reservation: Reservation, usage: Usage, ticket: Ticket, now: Micros
) -> str | None:
    """A promise that lost capacity breaks (R8): counted as ours, and handled as the reservation's overflow.
    Returns as ``_reserve`` does."""
    decision = ticket.decision
    buckets = state.buckets(reservation, now)
    burnt = burn(reservation, usage)
    wait = buckets.short(burnt, now)
    action = reservation.record.overflow.action
    decision.trace.append((reasons.SHORTFALL, reservation.name, buckets.factor_ppm, wait, action))
    state.fell_short(reservation.name, decision)
    if reservation.ttft:
        promise(state, ticket.pool, reservation, buckets, burnt, decision, now)
    answer = _overflow(state, reservation, buckets, wait, ticket, "reservation_shortfall")
    if ticket.lane is None:
        buckets.promise(burnt, now)
    return answer


def _overflow(
    state: State,
    reservation: Reservation,
    buckets: LaneBuckets,
    wait: Micros,
    ticket: Ticket,
    code: Code,
) -> str | None:
    """What becomes of a request for which a reservation has room only in ``wait`` (R8)."""
    decision, overflow, scale = ticket.decision, reservation.record.overflow, ticket.request.scale
    if overflow.action == "queue" and wait <= ticket.scope.tier.max_wait:
        ticket.lane, ticket.reservation = buckets, reservation
        decision.reservation = "used"
        decision.trace.append((reasons.LANE_LATER, reservation.name, wait))
        return None
    if overflow.action == "spill" and not scale:
        decision.reservation = "spilled"
        decision.trace.append((reasons.SPILL_LANE,))
        return None
    refuse(decision, code, None)
    decision.retry_after_us = until(state, decision, buckets, wait)
    if overflow.action == "downgrade" and not scale:
        return overflow.tier or ""
    return ""


def _rates(state: State, chain: Chain, amounts: Amounts, decision: Decision, now: Micros) -> bool:
    """A3 (R9): every ceiling on the path needs room, and below them the tenant's part, or another's."""
    remaining: list[int] = []
    for dimension, meter in chain.rates:
        left = meter.room(amounts[dimension], now)
        if left < 0:
            _over(state, chain, amounts, decision, now)
            return False
        remaining.append(left)
    if remaining:
        decision.trace.append((reasons.LIMITS, chain.labels, remaining))
    shared = chain.shared
    return not shared or _parts(state, shared, amounts, "rate_limit_exceeded", decision, now)


def _over(state: State, chain: Chain, amounts: Amounts, decision: Decision, now: Micros) -> None:
    """Some ceiling has no room: told is the one for which it takes longest."""
    position, tightest = max(chain.rates, key=lambda one: one[1].wait(amounts[one[0]], now))
    longest = tightest.wait(amounts[position], now)
    _, quota, of, per = tightest.key
    decision.trace.append(
        (reasons.LIMIT, quota, of, per, tightest.limit, tightest.remaining(now), amounts[position])
    )
    name_giver(state, decision, tightest)
    refuse(decision, "rate_limit_exceeded", None, of.replace("_", " "), per, tightest.limit)
    decision.retry_after_us = until(state, decision, tightest, longest)


def _may_grow(state: State, ramp: Ramp, ticket: Ticket, now: Micros) -> bool:
    """R10. What is beyond the ramp falls to the tier it is downgraded to, or is refused."""
    decision, tier, amount = ticket.decision, ticket.scope.tier.name, ticket.amounts[TOTAL]
    left = ramp.room(amount, now)
    if left >= 0:
        decision.trace.append((reasons.RAMP, tier, ramp.limit, left))
        return True
    decision.trace.append((reasons.RAMPED, tier, ramp.limit, ramp.meter.remaining(now), amount))
    refuse(decision, "rate_limit_exceeded", None, "tokens", "1m", ramp.limit)
    decision.message = GROWS_TOO_FAST.format(ramp.limit)
    decision.retry_after_us = until(state, decision, ramp.meter, ramp.wait(amount, now))
    return False


def _enqueue(state: State, place: Place, ticket: Ticket, now: Micros) -> None:
    """Every check has passed: take the holds and join the queue."""
    request, decision, pool, chain = ticket.request, ticket.decision, place.pool, ticket.chain
    tier, lane, amounts = ticket.scope.tier, ticket.lane, ticket.amounts
    rates = lane is None
    expires = now + tier.max_wait
    if request.deadline is not None and request.deadline < expires:
        expires = max(now, request.deadline)
    if pool.waking:
        expires = max(expires, pool.holds_until(request.deadline, now))
    ticket.expires = expires
    if chain.shadows:
        _tell_shadows(state, decision, chain.would_refuse(amounts, rates, now), amounts, now)
    ticket.drawn = chain.take(amounts, rates, now)
    for cap in chain.sized:
        cap.used += request.size
    if chain.caps and rates:
        ticket.caps = caps_of(state, chain.caps, ticket)
    if chain.lasting:
        state.open.add(ticket)
        state.touched.add(chain)
    decision.verdict = "admit" if not pool.waiting and pool.open_mask & pool.usable_mask else "queue"
    delay = 0
    if lane is None:
        leaf = place.leaf or place.open()
        queue = place.queue
        if ticket.courses:
            delay = _of_a_loop(ticket)
        line: reasons.TraceLine = (reasons.QUEUED, decision.pool, tier.band, leaf.name, pool.waiting, expires)
    else:
        queue, leaf = _into_lane(ticket, pool)
        delay = max(lane.wait(ticket.burn, now), lane.short(ticket.burn, now))
        lane.take(ticket.burn, now)
        line = (reasons.QUEUED_IN_LANE, decision.pool, leaf.name, pool.waiting, expires)
    ticket.queue, ticket.leaf = queue, leaf
    if ticket.courses:
        call = 0 if request.task is None else request.task.call
        for course in ticket.courses.values():
            course.begin(amounts[TOTAL], call, now)
    state.admitted(ticket)
    decision.trace.append(line)
    if delay:
        decision.verdict = "queue"
        ticket.delayed = True
        if pool not in state.delaying:
            state.delaying.append(pool)
        heappush(pool.delayed, (now + delay, ticket.order, ticket))
        return
    if ticket.caps:
        if not enter(ticket):
            decision.verdict = "queue"
        return
    pool.waiting += 1
    queue.append(ticket)


def _into_lane(ticket: Ticket, pool: PoolState) -> tuple[Queue, Leaf]:
    """Where a request of a reservation waits, and what it burns of it."""
    reservation = ticket.reservation
    assert reservation is not None  # noqa: S101  set with the lane
    uncached, cached, output = ticket.decision.held
    ticket.burn = burn(reservation, Usage(uncached, cached, output))
    ticket.weights = (max(1, reservation.share_ppm),)
    return pool.lane, pool.lane.leaf((reservation.name,))


def _of_a_loop(ticket: Ticket) -> Micros:
    """How long it waits because its run seems to go in a circle: half of ``max_wait`` at most."""
    task = ticket.request.task
    if task is None:
        return 0
    wait = slowed(ticket.chain.guards, ticket.courses, task.call, ticket.scope.tier.max_wait // 2)
    if wait:
        ticket.decision.trace.append((reasons.SLOWED, wait))
    return wait
