"""By which names does each engine say what a gateway wants to know of it?

Data, not code: one ``Dialect`` an engine, each signal a list of ways to read it. The first way whose names
are on the page is taken; two names of one thing are never added. Names change faster than releases, so an
older name stays here as a later way. ``docs/guides/engines.md`` shows the table; the pages of
``tests/coordination/engines/pages`` are written from it, one for each engine and version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Final, Literal, NamedTuple

Combine = Literal["sum", "max"]


class Metric(NamedTuple):
    """One number out of the series of one name."""

    name: str
    combine: Combine = "sum"
    """Over what the labels divide: ranks of data parallelism, prompts by source."""
    where: tuple[tuple[str, str], ...] = ()
    """Only series in which a label has a value; a label that is not there counts as empty."""
    product: tuple[str, ...] = ()
    """The number is in labels, multiplied, and not in the value."""


class Measure(NamedTuple):
    """One way to read a signal."""

    of: tuple[Metric, ...]
    """All must be there; added."""
    plus: tuple[Metric, ...] = ()
    """Added where they are there."""
    times: Metric | None = None

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return (*self.of, *self.plus, *((self.times,) if self.times is not None else ()))


Ways = tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one engine calls things. An empty tuple: it does not say."""

    engine: str
    family: str
    """What its names begin with; the character after that may be ``:`` or ``_``, some exporters change it."""
    pages: tuple[str, ...] = ("/metrics",)
    """Where the page may be, most likely first."""
    running: Ways = ()
    """Requests in its batch."""
    waiting: Ways = ()
    """Requests it has taken and not begun."""
    kv_used: Ways = ()
    """Part of the KV cache that is in use, 0 to 1."""
    kv_capacity: Ways = ()
    """Tokens the KV cache holds."""
    queried: Ways = ()
    """Prompt tokens looked up in the prefix cache since it started."""
    cached: Ways = ()
    """Of those, found."""
    adapters: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Names, and the labels that list adapters. The value is when that was so: the latest counts."""
    copies: frozenset[str] = frozenset()
    """Labels of ranks that all say the same: the largest counts, not the sum."""

    def ways(self) -> Mapping[str, Ways]:
        """By signal."""
        return {
            "running": self.running,
            "waiting": self.waiting,
            "kv_used": self.kv_used,
            "kv_capacity": self.kv_capacity,
            "queried": self.queried,
            "cached": self.cached,
        }

    def names(self) -> frozenset[bytes]:
        """All that is to be looked for on a page."""
        said = {m.name for way in chain(*self.ways().values()) for m in way.metrics}
        said.update(name for name, _ in self.adapters)
        return frozenset(spelling for name in said for spelling in spellings(name, self.family))


@cache
def spellings(name: str, family: str) -> tuple[bytes, ...]:
    """How a name may stand on a page, the plain one first: with and without ``_total``, ``:`` or ``_``."""
    other = name.removesuffix("_total") if name.endswith("_total") else name + "_total"
    found = [name, other]
    for one in (name, other):
        at = len(family)
        if one[:at] == family and one[at : at + 1] in (":", "_"):
            found.append(one[:at] + ("_" if one[at] == ":" else ":") + one[at + 1 :])
    return tuple(one.encode() for one in dict.fromkeys(found))


def _way(*of: str, combine: Combine = "sum") -> Measure:
    return Measure(tuple(Metric(name, combine) for name in of))


VLLM_RUNNING: Final = "vllm:num_requests_running"
VLLM_WAITING: Final = "vllm:num_requests_waiting"
VLLM_KV_USED: Final = "vllm:kv_cache_usage_perc"
VLLM_CACHE_CONFIG: Final = "vllm:cache_config_info"
VLLM_BLOCK_LABELS: Final = ("block_size", "num_gpu_blocks")
VLLM_QUERIES: Final = "vllm:prefix_cache_queries_total"
VLLM_HITS: Final = "vllm:prefix_cache_hits_total"
"""As of 0.19. The simulated fleet speaks vLLM, so it writes these."""

VLLM: Final = Dialect(
    "vllm",
    "vllm",
    running=(_way(VLLM_RUNNING),),
    # Of all reasons: own counts include what is deferred.
    waiting=(_way(VLLM_WAITING),),
    kv_used=(_way(VLLM_KV_USED, combine="max"), _way("vllm:gpu_cache_usage_perc", combine="max")),
    kv_capacity=(Measure((Metric(VLLM_CACHE_CONFIG, product=VLLM_BLOCK_LABELS),)),),
    queried=(_way(VLLM_QUERIES), _way("vllm:gpu_prefix_cache_queries_total")),
    cached=(_way(VLLM_HITS), _way("vllm:gpu_prefix_cache_hits_total")),
    adapters=(("vllm:lora_requests_info", ("running_lora_adapters", "waiting_lora_adapters")),),
)

SGLANG: Final = Dialect(
    "sglang",
    "sglang",
    # With priority scheduling the total stands at an empty priority, beside a series for each.
    running=(Measure((Metric("sglang:num_running_reqs", where=(("priority", ""),)),)),),
    waiting=(
        Measure(
            (Metric("sglang:num_queue_reqs", where=(("priority", ""),)),),
            plus=(
                Metric("sglang:num_grammar_queue_reqs"),
                Metric("sglang:num_prefill_bootstrap_queue_reqs"),
                Metric("sglang:num_prefill_inflight_queue_reqs"),
                Metric("sglang:num_decode_prealloc_queue_reqs"),
                Metric("sglang:num_decode_transfer_queue_reqs"),
            ),
        ),
    ),
    kv_used=(_way("sglang:token_usage", combine="max"),),
    kv_capacity=(
        _way("sglang:max_total_num_tokens"),
        Measure((Metric("sglang:cache_config_info", product=("page_size", "num_pages")),)),
    ),
    queried=(_way("sglang:prompt_tokens_total"),),
    cached=(_way("sglang:cached_tokens_total"),),
    copies=frozenset({"tp_rank", "pp_rank", "moe_ep_rank"}),
)

TGI: Final = Dialect(
    "tgi",
    "tgi",
    running=(_way("tgi_batch_current_size"),),
    waiting=(_way("tgi_queue_size"),),
)

_TOKENS_PER_BLOCK = Metric("trtllm_kv_cache_tokens_per_block", "max")
TRTLLM: Final = Dialect(
    "trtllm",
    "trtllm",
    # Its own /metrics answers with statistics in JSON, and forgets what it has told.
    pages=("/prometheus/metrics", "/metrics"),
    running=(_way("trtllm_num_requests_running"),),
    waiting=(_way("trtllm_num_requests_waiting"),),
    kv_used=(_way("trtllm_kv_cache_utilization", combine="max"),),
    kv_capacity=(Measure((Metric("trtllm_kv_cache_max_blocks"),), times=_TOKENS_PER_BLOCK),),
    queried=(
        _way("trtllm_prompt_tokens_total"),
        Measure(
            (Metric("trtllm_kv_cache_reused_blocks_total"), Metric("trtllm_kv_cache_missed_blocks_total")),
            times=_TOKENS_PER_BLOCK,
        ),
    ),
    cached=(
        _way("trtllm_prompt_cached_tokens_total"),
        Measure((Metric("trtllm_kv_cache_reused_blocks_total"),), times=_TOKENS_PER_BLOCK),
    ),
)


def _triton(name: str, label: str, value: str, combine: Combine = "sum") -> Metric:
    return Metric(name, combine, where=((label, value),))


_BLOCKS = "nv_trt_llm_kv_cache_block_metrics"
TRITON: Final = Dialect(
    "triton",
    "nv_trt_llm",
    running=(Measure((_triton("nv_trt_llm_request_metrics", "request_type", "scheduled"),)),),
    waiting=(Measure((_triton("nv_trt_llm_request_metrics", "request_type", "waiting"),)),),
    kv_used=(Measure((_triton(_BLOCKS, "kv_cache_block_type", "fraction", "max"),)),),
    kv_capacity=(
        Measure(
            (_triton(_BLOCKS, "kv_cache_block_type", "max"),),
            times=_triton(_BLOCKS, "kv_cache_block_type", "tokens_per", "max"),
        ),
    ),
)

LLAMA_CPP: Final = Dialect(
    "llama.cpp",
    "llamacpp",
    running=(_way("llamacpp:requests_processing"),),
    waiting=(_way("llamacpp:requests_deferred"),),
    kv_used=(_way("llamacpp:kv_cache_usage_ratio", combine="max"),),
)

DIALECTS: Final = (VLLM, SGLANG, TGI, TRTLLM, TRITON, LLAMA_CPP)
FIRST_ASKED: Final[Mapping[str, Dialect]] = {
    "vllm": VLLM,
    "simulated": VLLM,
    "sglang": SGLANG,
    "tgi": TGI,
    "trtllm": TRTLLM,
}
"""By the ``engine`` of a Pool. ``openai`` is none of them: its page, if it has one, tells whose it is."""
