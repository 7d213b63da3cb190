"""Why was this request refused, slow, or sent there? Kept by request id; the prompt is not in it.

Recent requests stand in one ring. Refusals by policy stand in a second one too, so that ordinary
traffic does not push them out before somebody asks. An explanation is put together only when asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from coordination import scheduling
from coordination.program.records import MILLION, ObjectiveRecord
from coordination.scheduling import Decision, Dispatch
from coordination.scheduling.attainment import Gaps
from coordination.scheduling.values import Charge
from gateway.errors import Problem

RECENT = 10_000
REFUSALS = 20_000


@dataclass(slots=True, eq=False)  # written to a dozen times: a struct's members take ten times as long to set
class Explanation:
    """What is known of one request. Instants in policy-clock microseconds, ``0`` = did not happen."""

    request_id: str
    arrived: int
    client_request_id: str | None = None
    tenant: str | None = None
    key_id: str | None = None
    model: str | None = None
    tier_requested: str | None = None
    operation: str = ""
    """What OpenTelemetry calls the endpoint."""
    stream: bool = False
    bundle: str = ""
    decision: Decision | None = None
    """The last one: admission's, or the one that ended the request."""
    dispatches: list[Dispatch] = field(default_factory=list)
    problem: Problem | None = None
    charge: Charge | None = None
    gaps: Gaps | None = None
    """Of a stream, where its tier promises times between tokens to prompts of some lengths."""
    attained: Sequence[tuple[ObjectiveRecord, int, int]] = ()
    """Promises of its tier that it was held against as it ended: how often each was kept, and given."""
    outcome: str = "open"
    """``open``, ``completed``, ``aborted`` or ``refused``."""
    status: int = 0
    decided: int = 0
    placed: int = 0
    sent: int = 0
    first_byte: int = 0
    finished: int = 0

    def as_json(self) -> dict[str, Any]:
        """JSON-ready. Times are microseconds since arrival."""
        shown: dict[str, Any] = {
            "request_id": self.request_id,
            "client_request_id": self.client_request_id,
            "arrived_at_us": self.arrived,
            "tenant": self.tenant,
            "key_id": self.key_id,
            "model": self.model,
            "tier_requested": self.tier_requested,
            "operation": self.operation or None,
            "stream": self.stream,
            "bundle": self.bundle,
            "outcome": self.outcome,
            "status": self.status or None,
            "code": self.problem.code if self.problem else None,
            "message": self.problem.message if self.problem else None,
            "decision": scheduling.explain(self.decision) if self.decision else None,
            "attempts": [scheduling.explain(dispatch)["dispatch"] for dispatch in self.dispatches],
            "charge": _charge(self.charge) if self.charge else None,
            "objectives": [_attained(*each) for each in self.attained],
            "timings_us": {
                name: instant - self.arrived if instant else None
                for name, instant in (
                    ("decided", self.decided),
                    ("placed", self.placed),
                    ("sent", self.sent),
                    ("first_byte", self.first_byte),
                    ("finished", self.finished),
                )
            },
        }
        return shown


class Explanations:
    """Two rings, oldest out first. Every request enters one, hardly any is asked for: asking searches."""

    def __init__(self, recent: int = RECENT, refusals: int = REFUSALS) -> None:
        self._recent: deque[Explanation] = deque(maxlen=recent)
        self._refusals: deque[Explanation] = deque(maxlen=refusals)
        self.add = self._recent.append
        """Of each request as it arrives: from then on it can be explained."""
        self.keep = self._refusals.append
        """Of each that was refused by policy: it is kept longer."""

    def get(self, request_id: str) -> Explanation | None:
        for ring in (self._recent, self._refusals):
            for explanation in reversed(ring):
                if explanation.request_id == request_id:
                    return explanation
        return None


def _attained(objective: ObjectiveRecord, kept: int, given: int) -> dict[str, Any]:
    length = objective.uncached_input
    return {
        "metric": objective.metric,
        "target_us": objective.target,
        "percentile": (objective.percentile or 95 * MILLION) / MILLION,
        "uncached_input": None if length is None else {"min": length.min, "max": length.max},
        "kept": kept,
        "given": given,
    }


def _charge(charge: Charge) -> dict[str, Any]:
    usage = charge.usage
    return {
        "attempt": charge.attempt,
        "tier": charge.tier,
        "tokens": {
            "uncached_input": usage.uncached_input,
            "cached_input": usage.cached_input,
            "cache_write": usage.cache_write,
            "output": usage.output,
            "reasoning": usage.reasoning,
        },
        "fairness_cost": charge.fairness_cost,
        "reservation": charge.reservation,
        "spend_nano": charge.spend_nano,
        "hold_error_tokens": charge.hold_error,
    }
