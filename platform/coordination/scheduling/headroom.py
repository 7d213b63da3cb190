"""How much has the client left, as its headers tell? (``x-ratelimit-*``)"""

from __future__ import annotations

from coordination.program.index import Program
from coordination.program.records import Micros
from coordination.scheduling.decisions import Decision
from coordination.scheduling.scopes import QuotaMeter
from coordination.scheduling.state import State
from coordination.scheduling.values import Headroom, LimitView


def headroom(program: Program, state: State, decision: Decision, now: Micros) -> Headroom:
    """The tightest request limit and the tightest token limit in scope, after this decision."""
    request = decision.request
    if decision.tier not in program.tiers or request.tenant not in program.tenants:
        return Headroom(None, None)
    chain = state.chain(program.scope(request.tenant, decision.tier, request.model), now)
    return Headroom(_tightest(chain.requests, now), _tightest(chain.tokens, now))


def _tightest(meters: tuple[QuotaMeter, ...], now: Micros) -> LimitView | None:
    if not meters:
        return None
    meter = meters[0]
    remaining = meter.remaining(now)
    for other in meters[1:]:
        left = other.remaining(now)
        if left < remaining:
            meter, remaining = other, left
    return LimitView(meter.limit, remaining, meter.reset(now))
