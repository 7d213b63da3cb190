"""What can the sender of a refused request do about it? One sentence for each code."""

from __future__ import annotations

ADVICE: dict[str, str] = {
    "rate_limit_exceeded": (
        "Wait for Retry-After, spread requests over the minute, or ask for a higher limit. "
        "The x-ratelimit headers of each answer say what is left."
    ),
    "concurrency_exceeded": "Let a request in progress end first, or ask for more at a time.",
    "run_budget_exceeded": (
        "End the run or session and begin another, or ask for more. "
        "The x-headway-run headers of each answer say what is left."
    ),
    "run_loop_suspected": "The agent made the same call again and again: let it stop or do something else.",
    "spend_exceeded": "The budget of this period is used up: wait for its reset, or have the budget raised.",
    "reservation_exceeded": (
        "More was sent than the reservation holds, and it may not spill: "
        "slow down, or allow spilling in the reservation."
    ),
    "reservation_shortfall": "Reserved capacity was not there. This is on the platform, not on you: retry.",
    "capacity_exceeded": "The tier is full right now: retry after Retry-After, or use a higher tier.",
    "deadline_unmeetable": "Give a later x-headway-deadline-ms, or use a higher tier.",
    "tier_not_entitled": "Use a tier this tenant may use, or ask for this one.",
    "unknown_tier": "Check service_tier for a typing error; leave it out to get the default tier.",
    "model_not_found": "GET /v1/models lists the models this key may use.",
    "no_route": "No route serves this model in this tier: use another tier, or ask the platform's operators.",
    "context_length_exceeded": "Shorten the prompt, or use a model with a larger context window.",
    "upstream_failed": "The model server failed, and so did each retry that was allowed: retry.",
    "upstream_timeout": "The model server took too long: retry, or ask for fewer tokens.",
    "invalid_request": "The message says which member of the request to change.",
    "invalid_json": "The body is not JSON: check how it is encoded.",
    "internal_error": "The gateway failed. This is on the platform: retry, and report the request id.",
}
OTHERWISE = "The message says what was wrong."


def advice(code: str) -> str:
    """For a refusal or failure of ``code``; empty when there was neither."""
    return ADVICE.get(code, OTHERWISE) if code else ""
