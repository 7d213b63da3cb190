"""How much has the client left, as its headers tell? (``x-ratelimit-*``, ``ratelimit``)"""

from __future__ import annotations

from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling.decisions import Decision
from coordination.scheduling.lending import Path
from coordination.scheduling.limits import QuotaMeter
from coordination.scheduling.runs import left
from coordination.scheduling.state import State
from coordination.scheduling.values import Headroom, LimitView


def headroom(program: Program, state: State, decision: Decision, now: Micros) -> Headroom:
    """The tightest request limit and the tightest token limit in scope, after this decision."""
    request = decision.request
    if decision.tier not in program.tiers or request.tenant not in program.tenants:
        return Headroom(None, None)
    chain = state.plan(program, request.tenant, decision.tier, request.model, now).chain
    requests, tokens = _tightest(chain.requests, now), _tightest(chain.tokens, now)
    for path in chain.shared:
        if path.dimension:
            tokens = _shared(tokens, path, now)
        else:
            requests = _shared(requests, path, now)
    return Headroom(requests, tokens)


def run_left(
    program: Program, state: State, decision: Decision, now: Micros
) -> tuple[int | None, int | None]:
    """Tokens and steps that its run and session may still use; None where nothing limits."""
    request = decision.request
    task = request.task
    if task is None or decision.tier not in program.tiers or request.tenant not in program.tenants:
        return None, None
    chain = state.plan(program, request.tenant, decision.tier, request.model, now).chain
    if not chain.guards:
        return None, None
    return left(chain.guards, state.runs.courses(request.tenant, task, now))


def _shared(view: LimitView | None, path: Path, now: Micros) -> LimitView | None:
    """Below a ceiling, what the own part and what others leave allow, where that is less."""
    left = path.remaining(now)
    if view is None or left >= view.remaining:
        return view
    return LimitView(view.limit, left, max(view.reset_us, path.reset(now)), view.window_us)


def _tightest(meters: tuple[QuotaMeter, ...], now: Micros) -> LimitView | None:
    if not meters:
        return None
    meter = meters[0]
    remaining = meter.remaining(now)
    for other in meters[1:]:
        left = other.remaining(now)
        if left < remaining:
            meter, remaining = other, left
    return LimitView(meter.limit, remaining, meter.reset(now), meter.period)
