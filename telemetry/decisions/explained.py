"""What is told of one request, to whom? Its explanation where it was kept, and its account in any case.

A tenant's people are told what concerns them: what was asked, decided, used and charged, and how long each
step took. Which replicas there are, how busy they were and who else waited is the platform's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ledger import selectors as ledger
from ledger.models import UsageEvent
from telemetry.decisions import selectors
from telemetry.decisions.advice import advice
from telemetry.decisions.models import KeptDecision

OF_THE_TENANT = (
    "request_id",
    "client_request_id",
    "arrived_at_us",
    "tenant",
    "key_id",
    "model",
    "tier_requested",
    "stream",
    "bundle",
    "outcome",
    "status",
    "code",
    "message",
    "charge",
    "objectives",
    "timings_us",
)
OF_THE_DECISION = (
    "verdict",
    "code",
    "message",
    "retry_after_us",
    "tier_requested",
    "tier",
    "reservation",
    "prompt_tokens",
    "hold",
)


@dataclass(frozen=True, slots=True)
class Told:
    """Everything known of one request. ``explanation`` is None where none was kept: refusals, failures and
    slow requests always are, of the others a sample."""

    request_id: str
    environment: str
    gateway: str
    """Empty for a tenant's people."""
    reason: str
    at_us: int
    tenant: str
    tier: str
    model: str
    code: str
    advice: str
    explanation: dict[str, Any] | None
    usage: list[UsageEvent]


def tell(request_id: str, tenants: tuple[str, ...] | None) -> Told | None:
    """What ``tenants``' people (None: the staff) may know of a request; None if nothing is known."""
    kept = selectors.decision(request_id, tenants)
    lines = list(ledger.of_request(request_id, tenants))
    if kept is None and not lines:
        return None
    staff = tenants is None
    if kept is None:
        last = lines[-1]
        facts = (last.environment, last.gateway, "", last.occurred_us, last.tenant, last.tier, last.model, "")
    else:
        facts = _facts(kept)
    environment, gateway, reason, at_us, tenant, tier, model, code = facts
    return Told(
        request_id=request_id,
        environment=environment,
        gateway=gateway if staff else "",
        reason=reason,
        at_us=at_us,
        tenant=tenant,
        tier=tier,
        model=model,
        code=code,
        advice=advice(code),
        explanation=None if kept is None else explanation(kept, staff=staff),
        usage=lines,
    )


def explanation(kept: KeptDecision, *, staff: bool) -> dict[str, Any]:
    """The document as its reader may see it."""
    # Not orjson: the arms of a route reach 2**64, which it refuses.
    document: Any = json.loads(kept.document)
    if not isinstance(document, dict):
        return {}  # no gateway of ours writes that
    return document if staff else for_tenant(document)


def for_tenant(document: dict[str, Any]) -> dict[str, Any]:
    """Only what is named above; what a later gateway adds is left out until it is named."""
    shown = {name: document[name] for name in OF_THE_TENANT if name in document}
    decision = document.get("decision")
    if isinstance(decision, dict):
        shown["decision"] = {name: decision[name] for name in OF_THE_DECISION if name in decision}
    attempts = document.get("attempts")
    if isinstance(attempts, list):
        shown["attempts"] = [
            {"attempt": one.get("attempt"), "queue_us": one.get("queue_us")}
            for one in attempts
            if isinstance(one, dict)
        ]
    return shown


def _facts(kept: KeptDecision) -> tuple[str, str, str, int, str, str, str, str]:
    return (
        kept.environment,
        kept.gateway,
        kept.reason,
        kept.at_us,
        kept.tenant,
        kept.tier,
        kept.model,
        kept.code,
    )
