"""What does each code of a refusal mean, in plain words, and what is the next step?"""

from __future__ import annotations

from dataclasses import dataclass

from telemetry.decisions.advice import advice

MEANS: dict[str, tuple[str, str]] = {
    "rate_limit_exceeded": ("Rate limit reached", "More came in the period than one of your limits allows."),
    "concurrency_exceeded": ("Too many at once", "As many requests as your plan allows were in progress."),
    "run_budget_exceeded": ("Run over budget", "A run or session used what one of its limits allows."),
    "run_loop_suspected": ("An agent in a circle", "A run made the same call again and again."),
    "spend_exceeded": ("Budget used up", "What you may spend in this period is spent."),
    "reservation_exceeded": ("Over the reservation", "More came than your reservation holds."),
    "reservation_shortfall": ("We fell short", "Capacity that is promised to you was not there."),
    "capacity_exceeded": ("No capacity in time", "The wait would have been longer than the tier allows."),
    "deadline_unmeetable": ("Deadline too close", "The answer could not have come by the deadline you sent."),
    "tier_not_entitled": ("Tier not in your plan", "The request asked for a tier that you may not use."),
    "unknown_tier": ("Unknown tier", "The request's service_tier names no tier."),
    "model_not_found": ("Unknown model", "No model of that name is served to you."),
    "no_route": ("Not served in this tier", "The model is not served to you in the tier asked for."),
    "context_length_exceeded": ("Prompt too long", "Prompt and answer do not fit the model's context."),
    "upstream_failed": ("Model server failed", "The model server ended before the answer was whole."),
    "upstream_timeout": ("Model server too slow", "The model server did not answer in the time allowed."),
    "invalid_request": ("Malformed request", "A member of the request is missing or has a wrong value."),
    "invalid_json": ("Not JSON", "The request's body cannot be read."),
    "invalid_api_key": ("Key not accepted", "The key is unknown, revoked or expired."),
    "key_blocked": ("Key blocked", "The operators of the service have blocked this key for now."),
    "tenant_blocked": ("Blocked for now", "The operators of the service have blocked your requests for now."),
    "key_not_permitted": ("Key may not do this", "The key lacks the scope that this takes."),
    "accounting_unavailable": ("We could not count it", "What would have been used could not be recorded."),
    "gateway_stopping": ("We were restarting", "A gateway was stopped before the answer was whole."),
    "internal_error": ("Our gateway failed", "Something went wrong on our side."),
}
OURS = frozenset(
    {
        "reservation_shortfall",
        "upstream_failed",
        "upstream_timeout",
        "internal_error",
        "accounting_unavailable",
        "gateway_stopping",
    }
)
"""Codes that are the platform's fault, not the sender's."""


@dataclass(frozen=True, slots=True)
class Told:
    """One code as a tenant reads it."""

    code: str
    title: str
    means: str
    advice: str
    ours: bool
    count: int = 0
    percent: float = 0.0
    """Of all refusals counted."""


def told(code: str, count: int = 0, total: int = 0) -> Told:
    title, means = MEANS.get(code, (code.replace("_", " ").capitalize(), ""))
    return Told(
        code=code,
        title=title,
        means=means,
        advice=advice(code),
        ours=code in OURS,
        count=count,
        percent=count * 100 / total if total else 0.0,
    )


def counted(counts: list[tuple[str, int]]) -> list[Told]:
    """Most frequent first."""
    total = sum(count for _, count in counts)
    return [told(code, count, total) for code, count in counts]
