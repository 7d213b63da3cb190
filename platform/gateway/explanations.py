"""Why was this request refused, slow, or sent there? Kept by request id; the prompt is not in it.

Recent requests stand in one ring. Refusals by policy stand in a second one too, so that ordinary
traffic does not push them out before somebody asks. An explanation is put together only when asked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from coordination import scheduling
from coordination.program.records import MILLION, ObjectiveRecord
from coordination.scheduling import Decision, Dispatch
from coordination.scheduling.attainment import Gaps
from coordination.scheduling.values import Charge
from gateway.errors import Problem

RECENT = 10_000
REFUSALS = 20_000


class Explanation:
    """What is known of one request. Instants in policy-clock microseconds, ``0`` = did not happen."""

    __slots__ = (
        "arrived",
        "attained",
        "bundle",
        "charge",
        "client_request_id",
        "decided",
        "decision",
        "dispatches",
        "finished",
        "first_byte",
        "gaps",
        "key_id",
        "model",
        "operation",
        "outcome",
        "placed",
        "problem",
        "request_id",
        "sent",
        "status",
        "stream",
        "tenant",
        "tier_requested",
    )

    def __init__(
        self,
        request_id: str,
        arrived: int,
        client_request_id: str | None = None,
        tenant: str | None = None,
        key_id: str | None = None,
        model: str | None = None,
        tier_requested: str | None = None,
        operation: str = "",
        stream: bool = False,
        bundle: str = "",
    ) -> None:
        """``operation``: what OpenTelemetry calls the endpoint."""
        self.request_id = request_id
        self.arrived = arrived
        self.client_request_id = client_request_id
        self.tenant = tenant
        self.key_id = key_id
        self.model = model
        self.tier_requested = tier_requested
        self.operation = operation
        self.stream = stream
        self.bundle = bundle
        self.decision: Decision | None = None
        """The last one: admission's, or the one that ended the request."""
        self.dispatches: list[Dispatch] = []
        self.problem: Problem | None = None
        self.charge: Charge | None = None
        self.gaps: Gaps | None = None
        """Of a stream, where its tier promises times between tokens to prompts of some lengths."""
        self.attained: Sequence[tuple[ObjectiveRecord, int, int]] = ()
        """Promises of its tier that it was held against as it ended: how often each was kept, and given."""
        self.outcome = "open"
        """``open``, ``completed``, ``aborted`` or ``refused``."""
        self.status = 0
        self.decided = 0
        self.placed = 0
        self.sent = 0
        self.first_byte = 0
        self.finished = 0

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
