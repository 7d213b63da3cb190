"""How is a client told no: in which words, and when to come back? (R11)"""

from __future__ import annotations

from typing import Final

from coordination.program.records import MILLION, Micros
from coordination.scheduling import reasons
from coordination.scheduling.decisions import Decision
from coordination.scheduling.limits import NEVER, CalendarCounter, QuotaMeter
from coordination.scheduling.settlement import SHORTFALL
from coordination.scheduling.state import State
from coordination.scheduling.values import Code

RESET_SPREAD: Final[Micros] = 60 * MILLION
"""Clients told to wait for a calendar reset come back spread over this long."""
SENTENCES: Final[dict[str, str]] = {
    "no_route": "No route serves this model for this account and tier.",
    "context_length_exceeded": "This model's maximum context length is {0} tokens; the prompt has about {1}.",
    "concurrency_exceeded": "Too many concurrent requests: {0} of {1} are in progress.",
    "spend_exceeded": "The spend limit of this account is used up.",
    "run_budget_exceeded": "This run or session has used what it may.",
    "run_loop_suspected": "The last call of this {0} was the same {1} times in a row.",
    "rate_limit_exceeded": "Rate limit reached for {0} per {1}: limit {2}.",
    "reservation_exceeded": "The request exceeds the reserved rate.",
    "reservation_shortfall": SHORTFALL,
    "capacity_exceeded": "No capacity is free soon enough for this tier. Please retry later.",
    "deadline_unmeetable": "The deadline of this request cannot be met.",
}

NOTHING_TO_BORROW: Final = (
    "Rate limit reached for {0} per {1}: what is guaranteed is used, and others leave nothing to borrow."
)

TOO_MANY_BYTES: Final = "Requests of this account in progress hold {0} of {1} bytes that may be kept for it."
SET_ASIDE: Final = "What serves this is set aside by an operator ({0}). Please retry later."

GROWS_TOO_FAST: Final = "Use of this tier grows faster than it may: {0} tokens a minute are allowed now."

TOO_MUCH: Final[dict[str, str]] = {
    "tokens": "This {0} has used {1} of {2} tokens; this request may need {3}.",
    "steps": "This {0} has made {1} of {2} steps.",
    "wall_time": "This {0} began longer ago than it may last.",
    "branches": "This {0} has {1} of {2} requests in progress.",
}
"""What a guard of a run or session says."""


def refuse(decision: Decision, code: Code, retry_after: Micros | None, *facts: object) -> None:
    decision.verdict = "refuse"
    decision.code = code
    decision.message = SENTENCES[code].format(*facts)
    decision.retry_after_us = retry_after


def name_giver(state: State, decision: Decision, meter: QuotaMeter) -> None:
    """Whose word the limit is that refuses, where it is not the policy's own: a team's is its tenant's."""
    _, quota, of, per = meter.key
    giver = state.program.overlay.set_by.get((quota, of, per))
    if giver is not None:
        decision.trace.append((reasons.SET_BY, quota, of, per, giver, meter.limit))


def until(state: State, decision: Decision, meter: object, wait: Micros) -> Micros | None:
    """When to come back: jittered; never is told as nothing."""
    if wait >= NEVER:
        return None
    request_id = decision.request.request_id
    if isinstance(meter, CalendarCounter):
        return wait + state.jitter(request_id, 2 * RESET_SPREAD) - 2 * RESET_SPREAD
    return state.jitter(request_id, wait)
