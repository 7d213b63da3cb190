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
    requests: list[QuotaMeter] = []
    tokens: list[QuotaMeter] = []
    for dimension, meter in chain.rates:
        (tokens if dimension else requests).append(meter)
    return Headroom(_tightest(requests, now), _tightest(tokens, now))


def _tightest(meters: list[QuotaMeter], now: Micros) -> LimitView | None:
    if not meters:
        return None
    meter = min(meters, key=lambda one: one.remaining(now)) if len(meters) > 1 else meters[0]
    return LimitView(meter.limit, meter.remaining(now), meter.reset(now))
