"""What do requests tell of a canary, and what does its trial show?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from gateway.coordinator import Coordinator
from gateway.explanations import Explanation
from gateway.rules import Rules

FAILURES = frozenset({"upstream_failed", "upstream_timeout"})
"""Codes that say that the pool failed, rather than the caller, the policy or this gateway."""


def tell_of(explanation: Explanation, coordinator: Rules) -> None:
    """A request of a route with canaries is over. One whose client left, or that the engine refused, tells
    nothing."""
    decision, problem = explanation.decision, explanation.problem
    if decision is None:
        return
    failed = problem is not None and problem.code in FAILURES
    if failed or (explanation.outcome == "completed" and explanation.status == 200):
        begun = explanation.first_byte if explanation.stream else explanation.finished
        coordinator.fared(decision, failed, explanation.stream, max(0, begun - explanation.arrived))


def canaries(coordinator: Coordinator, now: int) -> list[dict[str, Any]]:
    """Every canary that was sent a request under this policy: what is in its window, and the verdict."""
    found = []
    for route, one in coordinator.trials():
        mine, theirs = one.mine.sum(now), one.theirs.sum(now)
        found.append(
            {
                "route": route,
                "pool": one.pool,
                "over_us": one.guard.over,
                "requests": mine.requests,
                "failed": mine.failed,
                "requests_of_others": theirs.requests,
                "failed_of_others": theirs.failed,
                "given_up": None if one.given_up is None else asdict(one.given_up),
            }
        )
    return found
