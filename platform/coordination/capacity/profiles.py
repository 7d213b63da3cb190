"""Which model runs on which accelerators, and with which measured efficiencies?

A profile holds the facts; ``steps`` turns them into coefficients and times. Sources, by field:

- ``linear_params`` and the shape of the model (``layers`` ... ``width``): the published model
  configurations; parameters of linear layers only, embeddings left out.
- ``peak_flops``, ``memory_bandwidth``: NVIDIA data sheets, dense bf16 (H100 SXM, A100 80 GB SXM).
- ``weight_efficiency``, ``flops_efficiency``, ``per_token``: least-MAPE fit with exponent 1.5 to the
  per-operator profiles published with Vidur (Agrawal et al., MLSys 2024), 261 to 456 token counts a
  configuration, linear part within 2.8 to 6.5 % MAPE.
- ``attention_efficiency``, ``kv_efficiency``, ``reduce_latency``, ``reduce_bandwidth``,
  ``layer_launch``, ``step_overhead``, ``per_sequence``: literature and judgement, not fitted (BLIS,
  inference-sim, states 126 us a step, 4.4 us a sequence and a KV efficiency of 0.51).
- ``kv_tokens``: what is left of the memory after weights, as engines report it.

External check, not fitted: Qwen3-32B on two H100 is measured at 15,928 prefill tokens/s with chunks
of 8,192 (llm-d's configuration matrix); this model says 16,017.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """One model on one kind of replica. Times in seconds, rates per second, sizes in bytes."""

    name: str
    model: str
    accelerator: str
    tensor_parallel: int
    linear_params: float
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    width: int
    """Hidden size: what an all-reduce moves for one token."""
    peak_flops: float
    memory_bandwidth: float
    weight_efficiency: float
    """eta: share of the bandwidth that reading weights reaches."""
    flops_efficiency: float
    """mu: share of peak that the linear layers reach."""
    per_token: float
    """b: further seconds a token in the batch costs (norms, rotary, sampling)."""
    kv_tokens: int
    """Tokens of KV cache a replica holds."""
    max_sequences: int = 256
    bytes_per_param: float = 2.0
    bytes_per_kv_value: float = 2.0
    blend: float = 1.5
    """p: how sharply a step turns from memory-bound into compute-bound."""
    attention_efficiency: float = 0.5
    kv_efficiency: float = 0.60
    step_overhead: float = 126e-6
    layer_launch: float = 12e-6
    per_sequence: float = 4.4e-6
    """r: seconds one decoding sequence adds."""
    reduce_latency: float = 20e-6
    reduce_bandwidth: float = 300e9

    @property
    def kv_bytes_per_token(self) -> int:
        """Keys and values of every layer, for one token, over all accelerators of the replica."""
        return int(2 * self.layers * self.kv_heads * self.head_dim * self.bytes_per_kv_value)


@dataclass(frozen=True, slots=True)
class _Accelerator:
    name: str
    peak_flops: float
    memory_bandwidth: float


@dataclass(frozen=True, slots=True)
class _Model:
    name: str
    linear_params: float
    layers: int
    heads: int
    kv_heads: int
    width: int
    head_dim: int = 128


_H100 = _Accelerator("h100-sxm", 989.5e12, 3.35e12)
_A100 = _Accelerator("a100-sxm-80g", 312e12, 2.04e12)

_LLAMA_3_8B = _Model("llama-3-8b", 6.98e9, layers=32, heads=32, kv_heads=8, width=4096)
_QWEN_3_32B = _Model("qwen3-32b", 31.2e9, layers=64, heads=64, kv_heads=8, width=5120)
_LLAMA_3_70B = _Model("llama-3-70b", 68.5e9, layers=80, heads=64, kv_heads=8, width=8192)


def _profile(
    model: _Model,
    accelerator: _Accelerator,
    tensor_parallel: int,
    *,
    eta: float,
    mu: float,
    per_token: float,
    kv_tokens: int,
) -> Profile:
    """Join a model, an accelerator and the fitted efficiencies under the name policies use."""
    return Profile(
        name=f"{model.name}-{accelerator.name.split('-')[0]}-tp{tensor_parallel}",
        model=model.name,
        accelerator=accelerator.name,
        tensor_parallel=tensor_parallel,
        linear_params=model.linear_params,
        layers=model.layers,
        heads=model.heads,
        kv_heads=model.kv_heads,
        head_dim=model.head_dim,
        width=model.width,
        peak_flops=accelerator.peak_flops,
        memory_bandwidth=accelerator.memory_bandwidth,
        weight_efficiency=eta,
        flops_efficiency=mu,
        per_token=per_token,
        kv_tokens=kv_tokens,
    )


# The fit for Llama-3-8B on H100 borrows Llama-2-7B's profile on H100: its own was never published.
PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        _profile(_LLAMA_3_8B, _H100, 1, eta=0.77, mu=0.72, per_token=3.2e-6, kv_tokens=430_080),
        _profile(_QWEN_3_32B, _H100, 2, eta=0.80, mu=0.72, per_token=5.0e-6, kv_tokens=330_000),
        _profile(_LLAMA_3_70B, _H100, 4, eta=0.80, mu=0.72, per_token=9.1e-6, kv_tokens=430_080),
        _profile(_LLAMA_3_70B, _A100, 4, eta=0.80, mu=0.74, per_token=16.3e-6, kv_tokens=430_080),
    )
}
