"""How long does one engine step take, and how fast can a prompt be prefilled at best?

One step of continuous batching with n tokens (``prefill`` chunks of c new tokens after s tokens of
context, and decodes over contexts that sum to ``decode_context``) takes

    T = t0 + [(W/eta)^p + (G n/mu)^p]^(1/p) + b n + A sum c(s + c/2) + K decode_context + r decodes + AR

W reads the weights, G n multiplies by them, A is prefill attention, K reads the KV cache, AR is the
all-reduce of tensor parallelism. Every time here is in seconds, as a float.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from coordination.capacity.profiles import Profile

CHUNK_TOKENS: Final = 8192
"""Tokens an engine puts into one step at most (vLLM: ``max_num_batched_tokens``)."""


@dataclass(frozen=True, slots=True)
class StepModel:
    """A profile reduced to the coefficients of the formula; all in seconds (per unit named)."""

    fixed: float
    """t0 + the part of AR every step pays."""
    weights: float
    """(W/eta)^p: already raised."""
    linear: float
    """G/mu, per token."""
    blend: float
    token: float
    """b + the part of AR each token pays, per token."""
    attention: float
    """A, per (new token x context token)."""
    kv: float
    """K, per context token of a decode."""
    sequence: float
    """r, per decode."""

    def seconds(self, tokens: int, attended: float, decodes: int, decode_context: int) -> float:
        """Duration of a step of ``tokens`` in total; ``attended`` is sum c(s + c/2) over its prefills."""
        return (
            self.beside_context(tokens)
            + self.attention * attended
            + self.kv * decode_context
            + self.sequence * decodes
        )

    def beside_context(self, tokens: int) -> float:
        """What a step of ``tokens`` takes whatever it looks back at: t0, weights, linear layers, AR."""
        both: float = self.weights + (self.linear * tokens) ** self.blend
        blended: float = both ** (1.0 / self.blend)
        return self.fixed + blended + self.token * tokens


class StepTable(dict[int, float]):
    """``beside_context`` by tokens, worked out once: an engine asks for a few again and again."""

    __slots__ = ("_model",)

    def __init__(self, model: StepModel) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, tokens: int) -> float:
        found = self[tokens] = self._model.beside_context(tokens)
        return found


@cache
def step_table(model: StepModel) -> StepTable:
    """The one that all engines of a model have in common."""
    return StepTable(model)


@cache
def step_model(profile: Profile) -> StepModel:
    """Coefficients of a profile (W, G, A, K, AR as in the module's formula)."""
    tp = profile.tensor_parallel
    weights = profile.linear_params * profile.bytes_per_param / (tp * profile.memory_bandwidth)
    linear = 2 * profile.linear_params / (tp * profile.peak_flops)
    attention = (
        4
        * profile.layers
        * profile.heads
        * profile.head_dim
        / (tp * profile.attention_efficiency * profile.peak_flops)
    )
    kv = profile.kv_bytes_per_token / (tp * profile.kv_efficiency * profile.memory_bandwidth)
    reduce_step = reduce_token = 0.0
    if tp > 1:  # two all-reduces a layer, a ring of tp, two bytes a value
        reduce_step = 2 * profile.layers * profile.reduce_latency
        moved = profile.width * 2 * 2 * (tp - 1) / tp
        reduce_token = 2 * profile.layers * moved / profile.reduce_bandwidth
    return StepModel(
        fixed=profile.step_overhead + profile.layer_launch * profile.layers + reduce_step,
        weights=(weights / profile.weight_efficiency) ** profile.blend,
        linear=linear / profile.flops_efficiency,
        blend=profile.blend,
        token=profile.per_token + reduce_token,
        attention=attention,
        kv=kv,
        sequence=profile.per_sequence,
    )


def step_time(
    profile: Profile,
    prefill: Iterable[tuple[int, int]] = (),
    *,
    decodes: int = 0,
    decode_context: int = 0,
) -> float:
    """Seconds one step takes.

    ``prefill``: (new tokens, tokens of context before them) of each chunk. ``decodes``: sequences that
    decode one token each; ``decode_context``: the sum of their contexts, so a caller keeps one number
    and never lists them.
    """
    tokens = decodes
    attended = 0.0
    for new, context in prefill:
        tokens += new
        attended += new * (context + new / 2)
    return step_model(profile).seconds(tokens, attended, decodes, decode_context)


def decode_run(profile: Profile, *, steps: int, decodes: int, decode_context: int) -> float:
    """Seconds that ``steps`` pure decode steps take when the batch does not change.

    Each step lengthens every context by one, so the KV term is an arithmetic series: the closed form
    a simulator jumps with. ``decode_context`` is the sum of contexts at the first of the steps.
    """
    model = step_model(profile)
    first = model.seconds(decodes, 0.0, decodes, decode_context)
    return steps * first + model.kv * decodes * (steps * (steps - 1) // 2)


def prefill_floor(
    profile: Profile, uncached_tokens: int, *, cached_tokens: int = 0, chunk: int = CHUNK_TOKENS
) -> float:
    """Least seconds in which a replica that does nothing else prefills a prompt: no TTFT beats it.

    The attention of consecutive chunks telescopes to U(S + U/2) with S ``cached_tokens``, so this costs
    the same for any length. Zero uncached tokens still need one (an engine computes the last token).
    """
    new = max(1, uncached_tokens)
    model = step_model(profile)
    whole, rest = divmod(new, chunk)
    seconds = whole * model.seconds(chunk, 0.0, 0, 0)
    if rest:
        seconds += model.seconds(rest, 0.0, 0, 0)
    return seconds + model.attention * new * (cached_tokens + new / 2)
