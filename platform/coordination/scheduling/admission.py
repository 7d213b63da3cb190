"""Is this request admitted, queued, downgraded, spilled or refused? (R4, R6 to R12)

Nothing is held until every check has passed, so a downgrade or a spill has nothing to release: it is
the next turn of the loop. The first failure decides.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heappush

from coordination.program.index import Price, Program, Reservation, Route, Scope, Segment
from coordination.program.records import MILLION, Micros
from coordination.scheduling import reasons, routing
from coordination.scheduling.caps import caps_of, enter, overfull
from coordination.scheduling.decisions import Decision, Ticket
from coordination.scheduling.estimates import COLD_OUTPUT
from coordination.scheduling.feasibility import feasible
from coordination.scheduling.lending import NOBODY, Path
from coordination.scheduling.limits import QuotaMeter
from coordination.scheduling.placement import DEEPEST, sticky_depth
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
from coordination.scheduling.runs import Course, Kind, broken, slowed, standing
from coordination.scheduling.scopes import SPEND, TOTAL, Amounts, Chain
from coordination.scheduling.state import State
from coordination.scheduling.values import Code, Request, Usage


class Attempt:
    """One turn of R12's loop: a tier, its scope, and what the request would cost under it."""

    __slots__ = (
        "chain",
        "courses",
        "lane",
        "matched_at",
        "matches",
        "price",
        "reservation",
        "route",
        "scope",
    )

    def __init__(self, scope: Scope, route: Route, chain: Chain, price: Price | None) -> None:
        self.scope = scope
        self.route = route
        self.chain = chain
        self.price = price
        self.courses: dict[Kind, Course] = {}
        self.lane: LaneBuckets | None = None
        self.reservation: Reservation | None = None
        self.matches: list[tuple[int, int]] = []
        self.matched_at = (-1, -1)


def admit(program: Program, state: State, request: Request, now: Micros) -> Decision:
    """Decide one request. Unless refused it now waits in ``decision.pool``: call ``dispatch``.

    Raises KeyError when the request names a tenant, tier or model the program lacks (``classify``
    never does).
    """
    segment = state.at(now)
    decision = Decision(
        request, "admit", None, "", None, None, None, request.tier, request.tier, "none", 0, (0, 0, 0), []
    )
    decision.trace.append((reasons.SEGMENT, segment.start, segment.end))
    tried = [request.tier]
    while True:
        scope = program.scope(request.tenant, decision.tier, request.model)
        tier = _under(state, segment, scope, request, decision, now)
        if tier is None or tier in tried:  # each tier once (R12)
            if decision.promise is not None and decision.verdict == "refuse":
                decision.promise.broken()
            return decision
        decision.trace.append((reasons.DOWNGRADE, decision.tier, tier))
        tried.append(tier)
        decision.tier = tier
        decision.verdict, decision.code, decision.message, decision.retry_after_us = "admit", None, "", None
        decision.reservation = "none"


def _under(
    state: State,
    segment: Segment,
    scope: Scope,
    request: Request,
    decision: Decision,
    now: Micros,
) -> str | None:
    """Try one tier. Returns the tier to fall to, or None when ``decision`` is final."""
    trace = decision.trace
    model = scope.model
    longest = request.longest_prompt or request.prompt_tokens
    if longest > model.context_window:
        trace.append((reasons.CONTEXT, longest, model.context_window))
        refuse(decision, "context_length_exceeded", None, model.context_window, longest)
        return None
    route = routing.first_match(scope, request)
    if route is None:
        trace.append((reasons.NO_ROUTE, request.tenant, decision.tier, request.model, request.prompt_tokens))
        refuse(decision, "no_route", None)
        return None
    decision.route = route.name
    pools = _pools(state, segment, scope, route, request, trace)
    if not pools and trace[-1][0] is reasons.DRAINED:
        why = sorted({line[2] for line in trace if line[0] is reasons.DRAINED})
        refuse(decision, "reservation_shortfall" if request.scale else "capacity_exceeded", None)
        decision.message = SET_ASIDE.format("; ".join(why))
        decision.retry_after_us = state.jitter(request.request_id, MILLION)
        return scope.tier.downgrade_to if scope.tier.overflow == "downgrade" else None
    if not pools:
        trace.append((reasons.NO_LANE, route.name))
        refuse(decision, "reservation_exceeded", None)
        return None
    attempt = Attempt(scope, route, state.chain(scope, now), segment.prices.get(model.name))
    limits_passed = False
    for position, name in enumerate(pools):
        pool = state.pool(name, now)
        decision.pool = name
        if position:
            trace.append((reasons.SPILL, name))
        amounts = _estimate(state, pool, attempt, request, decision)
        if not position and not _first(state, attempt, amounts, decision, now):  # A1
            return None
        answer = _reserve(segment, state, pool, attempt, request, decision, now)  # A2
        if answer is not None:
            return answer or None
        more = position + 1 < len(pools)
        if attempt.lane is None and pool.pool.reserved_only:
            trace.append((reasons.RESERVED_ONLY, name))
            if more:
                continue
            refuse(decision, "reservation_exceeded", None)
            decision.message = "Only requests within a reservation are served here."
            return scope.tier.downgrade_to if scope.tier.overflow == "downgrade" else None
        if attempt.lane is None and not limits_passed:  # A3
            chain = attempt.chain
            if not _rates(state, chain, amounts, decision, now):
                return None
            if chain.ramp is not None and not _may_grow(state, chain.ramp, scope, amounts, decision, now):
                return scope.tier.downgrade_to
            limits_passed = True
        if attempt.lane is None:  # A4
            verdict, answer = feasible(state, pool, scope, request, decision, now, more)
            if decision.short is not None and decision.code == "capacity_exceeded":
                decision.code, decision.message = "reservation_shortfall", SENTENCES["reservation_shortfall"]
            if verdict == "spill":
                continue
            if verdict == "refuse":
                return answer
        if attempt.chain.caps and attempt.lane is None and _capped(state, name, attempt, decision):
            return None
        _enqueue(state, pool, attempt, amounts, decision, now)
        return None
    return None


def _capped(state: State, pool: str, attempt: Attempt, decision: Decision) -> bool:
    """R18 for those that stand aside: as many as may wait in a queue, and the next is refused."""
    cap = overfull(state, attempt.chain, pool, attempt.scope.tier.max_depth)
    if cap is None:
        return False
    decision.trace.append((reasons.CAP_FULL, cap.key[0], pool, cap.key[2].replace("_", " ")))
    refuse(decision, "concurrency_exceeded", None, cap.used, cap.limit)
    decision.retry_after_us = state.jitter(decision.request.request_id, MILLION)
    return True


def _pools(
    state: State,
    segment: Segment,
    scope: Scope,
    route: Route,
    request: Request,
    trace: list[reasons.TraceLine],
) -> list[str]:
    """The arm's pool and, after it, the route's fallbacks (R4, R12). ``scale`` goes only where the
    tenant's reservation is."""
    record = route.record
    if request.scale:
        reach = (*(target.pool for target in record.targets), *record.fallback)
        found = [pool for pool in reach if segment.lanes_for(pool, scope)]
        if state.draining:
            found = _open_to_new(state, found, trace)
        if len(found) > 1:
            at = routing.point(state.route_salt, route.name, request.stickiness)
            found = [routing.lane_at(segment, scope, found, at)]
        if found:
            trace.append((reasons.LANE_POOL, route.name, found[0]))
        return found
    if len(record.targets) == 1:
        at, pool = 0, record.targets[0].pool
    else:
        at = routing.point(state.route_salt, route.name, request.stickiness)
        pool = routing.arm(route, at)
    trace.append((reasons.ROUTE, route.name, pool, at, route.bounds))
    found = [pool, *(name for name in record.fallback if name != pool)]
    gone: Collection[str] = ()
    if route.trials and (trials := state.trials.get(route.name)) is not None and (gone := trials.gone):
        instead = routing.arm_instead(route, at, gone)
        verdict = trials.trials[pool].given_up if pool != instead else None
        if verdict is not None:
            trace.append((reasons.GIVEN_UP, pool, verdict.why, verdict.figure, verdict.others, instead))
        found = [instead, *(name for name in record.fallback if name != instead and name not in gone)]
    if not state.draining:
        return found
    others = [arm.pool for arm in record.targets if arm.weight and arm.pool not in (*found, *gone)]
    return _open_to_new(state, [*found, *others] if found[0] in state.draining else found, trace)


def _open_to_new(state: State, pools: list[str], trace: list[reasons.TraceLine]) -> list[str]:
    """Of these pools, those that no override drains (R12): of the arm's it is known why it is passed over."""
    for name in pools:
        if name in state.draining:
            trace.append((reasons.DRAINED, name, state.draining[name]))
    return [name for name in pools if name not in state.draining]


def _estimate(
    state: State, pool: PoolState, attempt: Attempt, request: Request, decision: Decision
) -> Amounts:
    """The hold of R6: the whole prompt, and min(max_tokens, p80 of what this tenant's answers came to)."""
    prompt, blocks = request.prompt_tokens, request.blocks
    cached = 0
    if blocks:
        matched_at = (pool.index.version, pool.usable_mask)
        matches = pool.index.match(blocks, pool.usable_mask, DEEPEST, sticky_depth(len(blocks)))
        attempt.matches, attempt.matched_at = matches, matched_at
        if matches:
            cached = matched_tokens(prompt, matches[0][0], len(blocks))
    uncached = prompt - cached
    outputs = state.outputs.get((request.tenant, request.model))
    expected = output = COLD_OUTPUT if outputs is None else outputs.predict()
    if request.max_tokens is not None and request.max_tokens < output:
        output = request.max_tokens
    model = attempt.scope.model
    cost = model.cost(uncached, cached, output)
    decision.held = (uncached, cached, output)
    decision.cost = cost
    price = attempt.price
    spend = 0 if price is None else price.spend(decision.tier, Usage(uncached, cached, output))
    decision.trace.append((reasons.ESTIMATE, uncached, cached, output, expected, request.max_tokens, cost))
    return (1, prompt, output, prompt + output, spend)


def _first(state: State, attempt: Attempt, amounts: Amounts, decision: Decision, now: Micros) -> bool:
    """A1 (R7): concurrency and spend. Says whether there is room."""
    for slots in attempt.chain.slots:
        if slots.used >= slots.limit:
            decision.trace.append((reasons.CONCURRENCY, slots.name, slots.used, slots.limit))
            refuse(decision, "concurrency_exceeded", MILLION, slots.used, slots.limit)
            decision.retry_after_us = state.jitter(decision.request.request_id, MILLION)
            return False
    size = decision.request.size
    for cap in attempt.chain.sized:
        if not cap.room(size):
            decision.trace.append((reasons.TOO_MANY_BYTES, cap.key[0], cap.used, cap.limit, size))
            refuse(decision, "concurrency_exceeded", MILLION, cap.used, cap.limit)
            decision.message = TOO_MANY_BYTES.format(cap.used, cap.limit)
            decision.retry_after_us = state.jitter(decision.request.request_id, MILLION)
            return False
    if decision.request.task is not None and not _may_go_on(state, attempt, amounts, decision, now):
        return False
    for meter in attempt.chain.spends:
        if meter.room(amounts[SPEND], now) < 0:
            wait = meter.wait(amounts[SPEND], now)
            _, quota, _, per = meter.key
            decision.trace.append((reasons.SPEND, quota, per, meter.remaining(now), amounts[SPEND]))
            name_giver(state, decision, meter)
            refuse(decision, "spend_exceeded", None)
            decision.retry_after_us = until(state, decision, meter, wait)
            return False
    spends = attempt.chain.shared_spends
    return not spends or _parts(state, spends, amounts, "spend_exceeded", decision, now)


def _may_go_on(state: State, attempt: Attempt, amounts: Amounts, decision: Decision, now: Micros) -> bool:
    """The guards of its run and session (R7); and where its run stands, for ``las``."""
    request = decision.request
    task = request.task
    if task is None:
        return True
    courses = attempt.courses = state.runs.courses(request.tenant, task, now)
    request.run = standing(task, courses)
    found = broken(attempt.chain.guards, courses, amounts[TOTAL], task.call, now)
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


def _reserve(
    segment: Segment,
    state: State,
    pool: PoolState,
    attempt: Attempt,
    request: Request,
    decision: Decision,
    now: Micros,
) -> str | None:
    """A2 (R8). None: go on (by the lane if ``attempt.lane`` is set); "": final; else the tier to fall to."""
    attempt.lane = attempt.reservation = None
    if decision.reservation == "used":
        decision.reservation = "none"
    held = segment.lanes_for(pool.pool.name, attempt.scope)
    if not held:
        return None
    trace = decision.trace
    usage = Usage(*decision.held)
    reserve = segment.reserves.get(pool.pool.name)
    left_ppm = pool.left_of(reserve.kept_ppm) if reserve is not None else MILLION
    short: Reservation | None = None
    for reservation in held:
        buckets = state.buckets(reservation, now)
        buckets.follow(reservation, left_ppm, now)
        burnt = burn(reservation, usage)
        if buckets.wait(burnt, now):
            continue
        if buckets.left is not None and buckets.short(burnt, now):
            short = short or reservation
            continue
        attempt.lane, attempt.reservation = buckets, reservation
        decision.reservation = "used"
        trace.append(
            (
                reasons.LANE,
                reservation.name,
                buckets.input.remaining(now),
                buckets.output.remaining(now),
            )
        )
        if reservation.ttft:
            promise(state, pool, reservation, buckets, burnt, decision, now)
        return None
    if short is not None:
        return _fall_short(state, pool, short, usage, attempt, request, decision, now)
    first = held[0]
    buckets = state.buckets(first, now)
    wait = buckets.wait(burn(first, usage), now)
    overflow = first.record.overflow
    trace.append((reasons.LANE_FULL, first.name, wait, overflow.action))
    if overflow.action == "queue" and wait <= attempt.scope.tier.max_wait:
        attempt.lane, attempt.reservation = buckets, first
        decision.reservation = "used"
        trace.append((reasons.LANE_LATER, first.name, wait))
        return None
    if overflow.action == "spill" and not request.scale:
        decision.reservation = "spilled"
        trace.append((reasons.SPILL_LANE,))
        return None
    refuse(decision, "reservation_exceeded", None)
    decision.retry_after_us = until(state, decision, buckets, wait)
    if overflow.action == "downgrade" and not request.scale:
        return overflow.tier or ""
    return ""


def _fall_short(
    state: State,
    pool: PoolState,
    reservation: Reservation,
    usage: Usage,
    attempt: Attempt,
    request: Request,
    decision: Decision,
    now: Micros,
) -> str | None:
    """A promise that lost capacity breaks (R8): counted as ours, and handled as the reservation's overflow.
    Returns as ``_reserve`` does."""
    buckets = state.buckets(reservation, now)
    burnt = burn(reservation, usage)
    wait = buckets.short(burnt, now)
    overflow = reservation.record.overflow
    decision.trace.append((reasons.SHORTFALL, reservation.name, buckets.factor_ppm, wait, overflow.action))
    state.fell_short(reservation.name, decision)
    if reservation.ttft:
        promise(state, pool, reservation, buckets, burnt, decision, now)
    if overflow.action == "queue" and wait <= attempt.scope.tier.max_wait:
        attempt.lane, attempt.reservation = buckets, reservation
        decision.reservation = "used"
        decision.trace.append((reasons.LANE_LATER, reservation.name, wait))
        return None
    buckets.promise(burnt, now)
    if overflow.action == "spill" and not request.scale:
        decision.reservation = "spilled"
        decision.trace.append((reasons.SPILL_LANE,))
        return None
    refuse(decision, "reservation_shortfall", None)
    decision.retry_after_us = until(state, decision, buckets, wait)
    if overflow.action == "downgrade" and not request.scale:
        return overflow.tier or ""
    return ""


def _rates(state: State, chain: Chain, amounts: Amounts, decision: Decision, now: Micros) -> bool:
    """A3 (R9): every ceiling on the path needs room, and below them the tenant's part, or another's."""
    remaining: list[int] = []
    full = False
    for position, meter in chain.rates:
        left = meter.room(amounts[position], now)
        remaining.append(left)
        if left < 0:
            full = True
    if not full:
        if remaining:
            decision.trace.append((reasons.LIMITS, chain.labels, remaining))
        shared = chain.shared
        return not shared or _parts(state, shared, amounts, "rate_limit_exceeded", decision, now)
    position, tightest = max(chain.rates, key=lambda one: one[1].wait(amounts[one[0]], now))
    longest = tightest.wait(amounts[position], now)
    _, quota, of, per = tightest.key
    decision.trace.append(
        (reasons.LIMIT, quota, of, per, tightest.limit, tightest.remaining(now), amounts[position])
    )
    name_giver(state, decision, tightest)
    refuse(decision, "rate_limit_exceeded", None, of.replace("_", " "), per, tightest.limit)
    decision.retry_after_us = until(state, decision, tightest, longest)
    return False


def _may_grow(
    state: State, ramp: Ramp, scope: Scope, amounts: Amounts, decision: Decision, now: Micros
) -> bool:
    """R10. What is beyond the ramp falls to the tier it is downgraded to, or is refused."""
    amount = amounts[TOTAL]
    left = ramp.room(amount, now)
    if left >= 0:
        decision.trace.append((reasons.RAMP, scope.tier.name, ramp.limit, left))
        return True
    decision.trace.append((reasons.RAMPED, scope.tier.name, ramp.limit, ramp.meter.remaining(now), amount))
    refuse(decision, "rate_limit_exceeded", None, "tokens", "1m", ramp.limit)
    decision.message = GROWS_TOO_FAST.format(ramp.limit)
    decision.retry_after_us = until(state, decision, ramp.meter, ramp.wait(amount, now))
    return False


def _enqueue(
    state: State, pool: PoolState, attempt: Attempt, amounts: Amounts, decision: Decision, now: Micros
) -> None:
    """Every check has passed: take the holds and join the queue."""
    request, scope = decision.request, attempt.scope
    ticket = Ticket(request, decision, scope, attempt.chain, attempt.route, pool, attempt.price)
    ticket.uncached, ticket.cached, ticket.output = decision.held
    ticket.cost = decision.cost
    ticket.amounts = amounts
    ticket.matches, ticket.matched_at = attempt.matches, attempt.matched_at
    ticket.held_at = ticket.enqueued = now
    ticket.order = state.next_order()
    ticket.expires = now + scope.tier.max_wait
    if request.deadline is not None and request.deadline < ticket.expires:
        ticket.expires = max(now, request.deadline)
    if pool.waking:
        ticket.expires = max(ticket.expires, pool.holds_until(request.deadline, now))
    chain, rates = attempt.chain, attempt.lane is None
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
    if attempt.lane is not None and attempt.reservation is not None:
        reservation = attempt.reservation
        ticket.lane, ticket.reservation = attempt.lane, reservation
        ticket.burn = burn(reservation, Usage(*decision.held))
        delay = max(attempt.lane.wait(ticket.burn, now), attempt.lane.short(ticket.burn, now))
        attempt.lane.take(ticket.burn, now)
        ticket.queue = pool.lane
        ticket.leaf = pool.lane.leaf((reservation.name,))
        ticket.weights = (max(1, reservation.share_ppm),)
    else:
        ticket.queue = pool.queue(scope.tier.band)
        ticket.leaf = ticket.queue.leaf(scope.leaf_path)
        if attempt.courses:
            delay = _of_a_loop(attempt, decision)
    for course in attempt.courses.values():
        course.begin(amounts[TOTAL], request.task.call if request.task is not None else 0, now)
    ticket.courses = tuple(attempt.courses.values())
    state.waits(ticket)
    leaf = ticket.leaf.name
    decision.trace.append(
        (reasons.QUEUED, pool.pool.name, ticket.queue.band, leaf, pool.waiting, ticket.expires)
        if rates
        else (reasons.QUEUED_IN_LANE, pool.pool.name, leaf, pool.waiting, ticket.expires)
    )
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
    ticket.queue.append(ticket)


def _of_a_loop(attempt: Attempt, decision: Decision) -> Micros:
    """How long it waits because its run seems to go in a circle: half of ``max_wait`` at most."""
    task = decision.request.task
    if task is None:
        return 0
    wait = slowed(attempt.chain.guards, attempt.courses, task.call, attempt.scope.tier.max_wait // 2)
    if wait:
        decision.trace.append((reasons.SLOWED, wait))
    return wait
