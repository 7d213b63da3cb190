"""Which numbers of a profile can measurements change, and what does changing one do to the others?

Each coefficient of the step formula (``coordination.capacity.steps``) has one factor, 1 in the profile that
a fit starts from. A factor goes to every field the coefficient is made of, so that a fitted profile is a
profile like any other; the shape of the model and the accelerator's data sheet stay what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from coordination.capacity import Profile

MEANS: Final[dict[str, str]] = {
    "fixed": "every step: launches, scheduling, all-reduce latency",
    "weights": "reading the weights once a step",
    "linear": "multiplying by them, per token",
    "token": "per token: norms, sampling, what an all-reduce moves",
    "attention": "prefill attention, per token and token of context",
    "kv": "reading the KV cache, per token of context",
    "sequence": "per decoding sequence",
}
"""Coefficient of the step formula -> what it is the time of."""
_SLOWER: Final = {
    "fixed": ("step_overhead", "layer_launch", "reduce_latency"),
    "token": ("per_token",),
    "sequence": ("per_sequence",),
}
"""Fields that grow with the factor, ..."""
_FASTER: Final = {
    "weights": ("weight_efficiency",),
    "linear": ("flops_efficiency",),
    "token": ("reduce_bandwidth",),
    "attention": ("attention_efficiency",),
    "kv": ("kv_efficiency",),
}
"""... and rates and efficiencies, which shrink."""


def scaled(base: Profile, factors: Mapping[str, float], name: str) -> Profile:
    """``base`` with each coefficient's time multiplied by its factor."""
    changed: dict[str, float] = {}
    for coefficient, factor in factors.items():
        for field in _SLOWER.get(coefficient, ()):
            changed[field] = getattr(base, field) * factor
        for field in _FASTER.get(coefficient, ()):
            changed[field] = getattr(base, field) / factor
    return replace(base, name=name, **changed)  # type: ignore[arg-type]
