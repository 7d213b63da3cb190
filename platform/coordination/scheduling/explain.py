"""Why was this request refused, slow, or sent there? (the ``GET /decisions/{id}`` of a gateway)"""

from __future__ import annotations

from typing import Any

from coordination.scheduling.decisions import Considered, Decision, Dispatch
from coordination.scheduling.figures import duration
from coordination.scheduling.values import Step


def explain(subject: Dispatch | Decision) -> dict[str, Any]:
    """The whole reasoning as JSON-ready values: rule ids, candidates, hold, charge, queue time."""
    if isinstance(subject, Decision):
        return _decision(subject)
    told = _decision(subject.decision)
    told["dispatch"] = {
        "pool": subject.pool,
        "replica": subject.replica,
        "attempt": subject.attempt,
        "queue_us": subject.queue_us,
        "sent_at": subject.sent_at,
        "candidates": candidates(subject),
    }
    charge = subject.charge
    told["charge"] = charge and {
        "attempt": charge.attempt,
        "uncached_input": charge.usage.uncached_input,
        "cached_input": charge.usage.cached_input,
        "cache_write": charge.usage.cache_write,
        "output": charge.usage.output,
        "reasoning": charge.usage.reasoning,
        "fairness_cost": charge.fairness_cost,
        "reservation": charge.reservation,
        "spend_nano": charge.spend_nano,
        "tier": charge.tier,
        "hold_error": charge.hold_error,
    }
    return told


def candidates(dispatch: Dispatch) -> list[dict[str, Any]]:
    """Every replica considered, best estimate first, with the parts of its score (R21)."""
    considered = dispatch.considered
    chosen = next((one for one in considered if one.replica.url == dispatch.replica), None)
    ordered = sorted(considered, key=lambda one: (one.load_us + one.prefill_us, one.recent_tokens))
    told = [
        {
            "replica": one.replica.url,
            "chosen": one is chosen,
            "score_us": one.load_us + one.prefill_us,
            "load_us": one.load_us,
            "prefill_us": one.prefill_us,
            "matched_blocks": one.matched_blocks,
            "recent_tokens": one.recent_tokens,
            "open": one.open,
            "healthy": one.usable,
            "rejected": None if one is chosen else _rejected(one, chosen),
        }
        for one in ordered
    ]
    if chosen is None:
        told.append(
            {
                "replica": dispatch.replica,
                "chosen": True,
                "score_us": None,
                "load_us": None,
                "prefill_us": dispatch.ticket.on_replica_us,
                "matched_blocks": None,
                "recent_tokens": None,
                "open": True,
                "healthy": True,
                "rejected": None,
            }
        )
    return told


def _rejected(one: Considered, chosen: Considered | None) -> str:
    """In words, why not this one."""
    if not one.usable:
        return "unhealthy"
    if chosen is None:
        return "busy longer than release_after allows: the request was taken from its home"
    gap = one.load_us + one.prefill_us - chosen.load_us - chosen.prefill_us
    if gap > 0:
        return f"first byte {duration(gap)} later"
    if one.matched_blocks < chosen.matched_blocks:
        fewer = chosen.matched_blocks - one.matched_blocks
        return f"holds {fewer} blocks fewer; the wait is within release_after"
    if not one.open:
        return "closed: no room for it now"
    return "equal, but computed more in the last minute"


def _decision(decision: Decision) -> dict[str, Any]:
    request = decision.request
    return {
        "request_id": request.request_id,
        "tenant": request.tenant,
        "model": request.model,
        "verdict": decision.verdict,
        "code": decision.code,
        "message": decision.message,
        "retry_after_us": decision.retry_after_us,
        "route": decision.route,
        "pool": decision.pool,
        "tier_requested": decision.tier_requested,
        "tier": decision.tier,
        "reservation": decision.reservation,
        "shortfall": decision.short,
        "shadowed": list(decision.shadowed),
        "prompt_tokens": request.prompt_tokens,
        "hold": {
            "uncached_input": decision.held[0],
            "cached_input": decision.held[1],
            "output": decision.held[2],
        },
        "cost": decision.cost,
        "arrived": request.arrived,
        "steps": [_step(step) for step in decision.steps],
    }


def _step(step: Step) -> dict[str, Any]:
    facts = {name: list(value) if isinstance(value, tuple) else value for name, value in step.facts.items()}
    return {"rule": step.rule, "says": step.says, "facts": facts}
