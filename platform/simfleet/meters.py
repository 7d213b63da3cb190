"""What does a replica tell a scraper? vLLM's metric names, types, labels and bucket bounds.

What a gateway reads has its name from the dictionary that a gateway reads by. Names as in vLLM 0.19 and
later (``kv_cache_usage_perc``, ``inter_token_latency_seconds``); every series carries ``engine`` and
``model_name`` except ``cache_config_info``, which has no ``model_name``. ``kv_cache_usage_perc`` is a ratio
from 0 to 1 in spite of its name.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence

from coordination.engines import dictionary as said
from simfleet.engine import Engine, Outcome, Step
from simfleet.engine import Sequence as EngineSequence
from simfleet.tokens import BLOCK_TOKENS

_TTFT = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0, 160.0, 640.0, 2560.0,
)  # fmt: skip
_ITL = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
    0.75, 1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)  # fmt: skip
_PHASE = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0,
    30.0, 40.0, 50.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1920.0, 7680.0,
)  # fmt: skip
_STEP_TOKENS = (1, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
_LENGTHS = (*(m * 10**e for e in range(5) for m in (1, 2, 5)), 100_000)
_FINISH_REASONS = ("stop", "length", "abort", "error")


class Histogram:
    """A Prometheus histogram: cumulative only when rendered."""

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        """Sample lines; ``labels`` without braces."""
        seen = 0
        for bound, number in zip(self._bounds, self._counts, strict=False):
            seen += number
            yield f'{name}_bucket{{{labels},le="{float(bound)}"}} {float(seen)}'
        seen += self._counts[-1]
        yield f'{name}_bucket{{{labels},le="+Inf"}} {float(seen)}'
        yield f"{name}_count{{{labels}}} {float(seen)}"
        yield f"{name}_sum{{{labels}}} {self._sum}"


class Meters:
    """Counters and histograms of one replica, fed by completed steps."""

    def __init__(self, model: str, *, max_model_len: int) -> None:
        self._labels = f'engine="0",model_name="{_escape(model)}"'
        lengths = tuple(bound for bound in _LENGTHS if bound <= max_model_len)
        self.prefix_cache_queries = 0
        self.prefix_cache_hits = 0
        self.prompt_tokens = 0
        self.prompt_tokens_cached = 0
        self.generation_tokens = 0
        self.finished = dict.fromkeys(_FINISH_REASONS, 0)
        self.time_to_first_token = Histogram(_TTFT)
        self.inter_token_latency = Histogram(_ITL)
        self.time_per_output_token = Histogram(_ITL)
        self.e2e = Histogram(_PHASE)
        self.queue = Histogram(_PHASE)
        self.inference = Histogram(_PHASE)
        self.prefill = Histogram(_PHASE)
        self.decode = Histogram(_PHASE)
        self.request_prompt_tokens = Histogram(lengths)
        self.request_generation_tokens = Histogram(lengths)
        self.iteration_tokens = Histogram(_STEP_TOKENS)

    def began(self, step: Step) -> None:
        """Count what admission looked up."""
        for sequence in step.admitted:
            self.prefix_cache_queries += sequence.work.prompt_tokens
            self.prefix_cache_hits += sequence.cached_tokens

    def completed(self, step: Step, outcome: Outcome) -> None:
        """Count what a step produced."""
        self.iteration_tokens.observe(step.tokens)
        self.generation_tokens += len(outcome.emitted)
        itl = self.inter_token_latency.observe
        for sequence in outcome.emitted:
            now = sequence.last_token_at
            if sequence.emitted > 1:
                itl(now - sequence.previous_token_at)
            else:
                self.prompt_tokens += sequence.work.prompt_tokens
                self.prompt_tokens_cached += sequence.cached_tokens
                self.time_to_first_token.observe(max(0.0, now - sequence.arrived))
        for sequence in outcome.finished:
            self.finished[sequence.work.finish] += 1
            self._phases(sequence)

    def aborted(self) -> None:
        """Count a request its client gave up."""
        self.finished["abort"] += 1

    def _phases(self, sequence: EngineSequence) -> None:
        admitted, first, last = sequence.admitted_at, sequence.first_token_at, sequence.last_token_at
        self.e2e.observe(max(0.0, last - sequence.arrived))
        self.queue.observe(max(0.0, admitted - sequence.arrived))
        self.prefill.observe(first - admitted)
        self.decode.observe(last - first)
        self.inference.observe(last - admitted)
        if sequence.emitted > 1:
            self.time_per_output_token.observe((last - first) / (sequence.emitted - 1))
        self.request_prompt_tokens.observe(sequence.work.prompt_tokens)
        self.request_generation_tokens.observe(sequence.emitted)

    def page(self, engine: Engine) -> bytes:
        """The ``/metrics`` page: counters from here, gauges from the engine as it is now."""
        lines: list[str] = []
        for name, what, value in self._gauges(engine):
            lines += _family(name, "gauge", what, {"": value}, self._labels)
        reasons = {'reason="capacity"': len(engine.waiting), 'reason="deferred"': 0}
        lines += _family(
            "vllm:num_requests_waiting_by_reason",
            "gauge",
            "Number of requests waiting to be processed, by reason.",
            reasons,
            self._labels,
        )
        for name, what, counted in self._counters():
            lines += _family(name, "counter", what, counted, self._labels)
        for name, what, histogram in self._histograms():
            lines += [f"# HELP {name} {what}", f"# TYPE {name} histogram"]
            lines += histogram.lines(name, self._labels)
        lines += self._cache_config(engine)
        return ("\n".join(lines) + "\n").encode()

    def _gauges(self, engine: Engine) -> Iterator[tuple[str, str, float]]:
        yield said.VLLM_RUNNING, "Number of requests in model execution batches.", engine.running
        yield said.VLLM_WAITING, "Number of requests waiting to be processed.", len(engine.waiting)
        usage = engine.cache.used / engine.cache.capacity
        yield said.VLLM_KV_USED, "KV-cache usage. 1 means 100 percent usage.", usage

    def _counters(self) -> Iterator[tuple[str, str, Mapping[str, float]]]:
        yield (
            said.VLLM_QUERIES,
            "Prefix cache queries, in terms of number of queried tokens.",
            {"": self.prefix_cache_queries},
        )
        yield (
            said.VLLM_HITS,
            "Prefix cache hits, in terms of number of cached tokens.",
            {"": self.prefix_cache_hits},
        )
        yield "vllm:num_preemptions_total", "Cumulative number of preemptions from the engine.", {"": 0}
        yield "vllm:prompt_tokens_total", "Number of prefill tokens processed.", {"": self.prompt_tokens}
        cached = self.prompt_tokens_cached
        yield (
            "vllm:prompt_tokens_by_source_total",
            "Number of prompt tokens by source.",
            {
                'source="local_compute"': self.prompt_tokens - cached,
                'source="local_cache_hit"': cached,
                'source="external_kv_transfer"': 0,
            },
        )
        yield "vllm:prompt_tokens_cached_total", "Number of cached prompt tokens.", {"": cached}
        yield (
            "vllm:generation_tokens_total",
            "Number of generation tokens processed.",
            {"": self.generation_tokens},
        )
        yield (
            "vllm:request_success_total",
            "Count of successfully processed requests.",
            {f'finished_reason="{reason}"': number for reason, number in self.finished.items()},
        )

    def _histograms(self) -> Iterator[tuple[str, str, Histogram]]:
        yield "vllm:time_to_first_token_seconds", "Time to first token in seconds.", self.time_to_first_token
        yield "vllm:inter_token_latency_seconds", "Inter-token latency in seconds.", self.inter_token_latency
        yield (
            "vllm:request_time_per_output_token_seconds",
            "Time per output token of a request in seconds.",
            self.time_per_output_token,
        )
        yield "vllm:e2e_request_latency_seconds", "End to end request latency in seconds.", self.e2e
        yield "vllm:request_queue_time_seconds", "Time spent in WAITING phase for request.", self.queue
        yield (
            "vllm:request_inference_time_seconds",
            "Time spent in RUNNING phase for request.",
            self.inference,
        )
        yield "vllm:request_prefill_time_seconds", "Time spent in PREFILL phase for request.", self.prefill
        yield "vllm:request_decode_time_seconds", "Time spent in DECODE phase for request.", self.decode
        yield "vllm:request_prompt_tokens", "Number of prefill tokens processed.", self.request_prompt_tokens
        yield (
            "vllm:request_generation_tokens",
            "Number of generation tokens processed.",
            self.request_generation_tokens,
        )
        yield "vllm:iteration_tokens_total", "Number of tokens per engine step.", self.iteration_tokens

    def _cache_config(self, engine: Engine) -> list[str]:
        size, number = said.VLLM_BLOCK_LABELS
        labels = (
            f'{size}="{BLOCK_TOKENS}",cache_dtype="auto",enable_prefix_caching="True",engine="0",'
            f'{number}="{engine.cache.capacity}",prefix_caching_hash_algo="xxhash"'
        )
        what = "Information of the LLMEngine CacheConfig"
        return _family(said.VLLM_CACHE_CONFIG, "gauge", what, {"": 1}, labels)


def _family(name: str, kind: str, what: str, values: Mapping[str, float], labels: str) -> list[str]:
    """HELP, TYPE and samples; a key of ``values`` is one more label, or empty."""
    lines = [f"# HELP {name} {what}", f"# TYPE {name} {kind}"]
    lines += [
        f"{name}{{{labels}{',' if more else ''}{more}}} {float(value)}" for more, value in values.items()
    ]
    return lines


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
