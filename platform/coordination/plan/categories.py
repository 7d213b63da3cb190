"""What kind of change is this? Decided by the field alone and the direction in which it moved.

``widening``: somebody may more than before, and nobody less. ``narrowing``: somebody may less.
``moving``: work goes elsewhere, or is divided otherwise. ``breaking``: what a client sends today no longer
works. ``no_effect``: no request is treated otherwise. ``unknown``: nothing here can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from coordination.plan.comparing import Spot
from coordination.spec.quantities import Money

Category = Literal["no_effect", "widening", "moving", "narrowing", "unknown", "breaking"]
ORDER: tuple[Category, ...] = ("no_effect", "widening", "moving", "narrowing", "unknown", "breaking")
"""From what needs no second look to what needs the most."""

Rule = Literal["more", "less", "set", "names", "moves", "nothing"]
"""How a field is judged: ``more`` widens as it grows (absent is without end), ``less`` narrows as it grows;
``set`` widens by what it gains and breaks by what it loses; ``names`` likewise, for what clients say."""

RULES: Mapping[str, Mapping[str, Rule]] = {
    "Model": {
        "served_name": "names",
        "aliases": "set",
        "context_window": "more",
        "max_output": "more",
        "adapters": "set",
        "cost/uncached_input": "moves",
        "cost/cached_input": "moves",
        "cost/output": "moves",
    },
    "Pool": {
        "model": "moves",
        "region": "moves",
        "engine": "moves",
        "profile": "moves",
        "replicas/urls": "moves",
        "replicas/count": "more",
        "replicas/dns": "moves",
        "replicas/inference_pool": "moves",
        "capacity": "moves",
        "capacity/input": "more",
        "capacity/output": "more",
        "capacity/sequences": "more",
        "capacity/kv_tokens": "more",
        "auth": "moves",
        "isolation": "moves",
        "reservable": "more",
    },
    "Tenant": {
        "display_name": "nothing",
        "tiers": "set",
        "default_tier": "moves",
        "zone": "moves",
        "labels/*": "nothing",
        "contacts": "nothing",
    },
    "Tier": {
        "service_tier": "set",
        "band": "moves",
        "minimum_share": "moves",
        "holdback": "less",
        "queue/max_wait": "more",
        "queue/max_depth": "more",
        "queue/order": "moves",
        "overflow": "moves",
        "cache_sharing": "moves",
        "escalate_to": "moves",
        "objectives/*": "moves",
        "objectives/*/target": "moves",
        "objectives/*/percentile": "nothing",  # the same, said or not: another one is another objective
        "ramp": "moves",
        "ramp/growth": "more",
        "ramp/per": "less",
        "ramp/floor": "more",
    },
    "Reservation": {
        "tenant": "moves",
        "pool": "moves",
        "model": "moves",
        "regions": "moves",
        "tier": "moves",
        "throughput/input": "more",
        "throughput/output": "more",
        "burn/uncached_input": "less",
        "burn/cached_input": "less",
        "burn/cache_write": "less",
        "burn/output": "less",
        "burn/reasoning": "less",
        "window/from": "less",
        "window/until": "more",
        "window/recurs": "moves",
        "window/at": "moves",
        "window/zone": "moves",
        "enforcement_window": "more",
        "overflow": "moves",
        "lend_when_idle": "moves",
        "reclaim_within": "moves",
    },
    "Quota": {
        "tenant": "moves",
        "scope/tiers": "moves",
        "scope/models": "moves",
        "weight": "moves",
        "limits/*/limit": "more",
        "limits/*/guaranteed": "more",
        "limits/*/borrow": "more",
        "limits/*/lend": "moves",
        "limits/*/shadow": "moves",
        "limits/*/scheduled": "moves",
        "concurrency": "more",
        "caps/sequences": "more",
        "caps/kv_share": "more",
        "caps/bytes": "more",
        "run": "moves",
        "run/tokens": "more",
        "run/steps": "more",
        "run/wall_time": "more",
        "run/branches": "more",
        "session": "moves",
        "session/tokens": "more",
        "session/steps": "more",
        "session/wall_time": "more",
        "session/branches": "more",
        "shadow": "moves",
        "delegation/weight": "more",
        "delegation/limits": "more",
        "delegation/keys": "more",
    },
    "PriceBook": {
        "currency": "moves",
        "entries/*/uncached_input": "less",
        "entries/*/cached_input": "less",
        "entries/*/cache_write": "less",
        "entries/*/output": "less",
        "entries/*/reasoning": "less",
        "tier_multipliers/*": "less",
    },
    "Route": {
        "rank": "moves",
        "match/models": "moves",
        "match/tiers": "moves",
        "match/tenants": "moves",
        "match/labels/*": "moves",
        "match/regions": "moves",
        "match/session": "moves",
        "match/headers/*": "moves",
        "match/prompt_tokens/min": "moves",
        "match/prompt_tokens/max": "moves",
        "targets": "moves",
        "targets/*": "moves",
        "targets/*/weight": "moves",
        "placement/strategy": "moves",
        "placement/release_after": "moves",
        "placement/sticky_for": "moves",
        "placement/max_imbalance": "moves",
        "placement/scorers/*": "moves",
        "fallback": "moves",
        "timeouts/first_byte": "more",
        "timeouts/total": "more",
        "retries/attempts": "more",
        "retries/on": "moves",
        "hedging": "moves",
        "rewrite": "moves",
    },
}

WHOLE: Mapping[str, tuple[Category, Category]] = {
    "Model": ("widening", "breaking"),
    "Pool": ("moving", "moving"),
    "Tenant": ("widening", "breaking"),
    "Tier": ("widening", "breaking"),
    "Reservation": ("widening", "narrowing"),
    "Quota": ("narrowing", "widening"),
    "PriceBook": ("moving", "moving"),
    "Route": ("moving", "moving"),
    "Expectation": ("no_effect", "no_effect"),
}
"""What it is to add and to delete a whole object."""

ENTRIES: Mapping[tuple[str, str], tuple[Category, Category]] = {
    ("Quota", "limits/*"): ("narrowing", "widening"),
    ("Route", "targets/*"): ("moving", "moving"),
    ("PriceBook", "entries/*"): ("moving", "moving"),
    ("PriceBook", "tier_multipliers/*"): ("moving", "moving"),
    ("Tier", "objectives/*"): ("moving", "moving"),
    ("Tenant", "labels/*"): ("no_effect", "no_effect"),
    ("Route", "match/labels/*"): ("moving", "moving"),
    ("Route", "match/headers/*"): ("moving", "moving"),
    ("Route", "placement/scorers/*"): ("moving", "moving"),
}
"""What it is to add and to delete an entry of a list or table."""


def of_object(kind: str, *, added: bool) -> Category:
    """Adding or deleting an object."""
    grown, gone = WHOLE.get(kind, ("unknown", "unknown"))
    return grown if added else gone


def of_spot(kind: str, spot: Spot) -> Category:
    """Changing one place of an object."""
    if kind == "Expectation":
        return "no_effect"
    if spot.how != "changed":
        grown, gone = ENTRIES.get((kind, spot.shape), ("unknown", "unknown"))
        return grown if spot.how == "added" else gone
    rules = RULES.get(kind, {})
    rule = rules.get(spot.shape) or next(
        (found for shape, found in rules.items() if spot.shape.startswith(f"{shape}/")), None
    )
    match rule:
        case "nothing":
            return "no_effect"
        case "moves":
            return "moving"
        case "names":
            return "breaking"
        case "set":
            return _of_set(spot)
        case "more" | "less":
            grew = _size(spot.after, spot) > _size(spot.before, spot)
            return "widening" if grew is (rule == "more") else "narrowing"
        case _:
            return "unknown"


def worst(categories: Iterable[Category]) -> Category:
    """The one that needs the closest look; ``no_effect`` of nothing."""
    return max(categories, key=ORDER.index, default="no_effect")


def _of_set(spot: Spot) -> Category:
    """What is lost breaks; what is gained widens; another order only moves the default."""
    before, after = set(spot.before or ()), set(spot.after or ())
    if before - after:
        return "breaking"
    return "widening" if after - before else "moving"


def _size(value: Any, spot: Spot) -> float:
    """Numbers as they are; where one is absent, there is no end (no beginning, for a ``from``)."""
    if value is None:
        return float("-inf") if spot.shape.endswith("/from") else float("inf")
    return float(value.nano) if isinstance(value, Money) else float(value)
