"""Why was this request refused, slow, or sent there? Kept by request id; the prompt is not in it.

Recent requests stand in one ring. Refusals by policy stand in a second one too, so that ordinary
traffic does not push them out before somebody asks. An explanation is put together only when asked.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import msgspec

from coordination import scheduling
from coordination.scheduling import Decision, Dispatch
from coordination.scheduling.values import Charge
from gateway.errors import Problem

RECENT = 10_000
REFUSALS = 20_000


class Explanation(msgspec.Struct, eq=False):
    """What is known of one request. Instants in policy-clock microseconds, ``0`` = did not happen."""

    request_id: str
    arrived: int
    client_request_id: str | None = None
    tenant: str | None = None
    key_id: str | None = None
    model: str | None = None
    tier_requested: str | None = None
    stream: bool = False
    bundle: str = ""
    decision: Decision | None = None
    """The last one: admission's, or the one that ended the request."""
    dispatches: list[Dispatch] = []
    problem: Problem | None = None
    charge: Charge | None = None
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
            "stream": self.stream,
            "bundle": self.bundle,
            "outcome": self.outcome,
            "status": self.status or None,
            "code": self.problem.code if self.problem else None,
            "message": self.problem.message if self.problem else None,
            "decision": scheduling.explain(self.decision) if self.decision else None,
            "attempts": [scheduling.explain(dispatch)["dispatch"] for dispatch in self.dispatches],
            "charge": _charge(self.charge) if self.charge else None,
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
    """Two bounded maps, oldest out first."""

    def __init__(self, recent: int = RECENT, refusals: int = REFUSALS) -> None:
        self._recent: OrderedDict[str, Explanation] = OrderedDict()
        self._refusals: OrderedDict[str, Explanation] = OrderedDict()
        self._recent_limit = recent
        self._refusals_limit = refusals

    def add(self, explanation: Explanation) -> None:
        """From its arrival on a request can be explained."""
        recent = self._recent
        recent[explanation.request_id] = explanation
        if len(recent) > self._recent_limit:
            recent.popitem(last=False)

    def keep(self, explanation: Explanation) -> None:
        """It was refused by policy: keep it longer."""
        refusals = self._refusals
        refusals[explanation.request_id] = explanation
        if len(refusals) > self._refusals_limit:
            refusals.popitem(last=False)

    def get(self, request_id: str) -> Explanation | None:
        return self._recent.get(request_id) or self._refusals.get(request_id)


def _charge(charge: Charge) -> dict[str, Any]:
    usage = charge.usage
    return {
        "attempt": charge.attempt,
        "tier": charge.tier,
        "tokens": {
            "uncached_input": usage.uncached_input,
            "cached_input": usage.cached_input,
            "output": usage.output,
        },
        "fairness_cost": charge.fairness_cost,
        "reservation": charge.reservation,
        "spend_nano": charge.spend_nano,
        "hold_error_tokens": charge.hold_error,
    }
