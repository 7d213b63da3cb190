"""The metrics page, read by the reference parser: names, types, labels and the numbers themselves."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from coordination.capacity import PROFILES
from simfleet.engine import Engine, Work
from simfleet.meters import Histogram, Meters

PROFILE = PROFILES["llama-3-8b-h100-tp1"]
GAUGES = {
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "vllm:num_requests_waiting_by_reason",
    "vllm:kv_cache_usage_perc",
    "vllm:cache_config_info",
}
COUNTERS = {  # the parser takes `_total` off a counter's name
    "vllm:prefix_cache_queries",
    "vllm:prefix_cache_hits",
    "vllm:num_preemptions",
    "vllm:prompt_tokens",
    "vllm:prompt_tokens_by_source",
    "vllm:prompt_tokens_cached",
    "vllm:generation_tokens",
    "vllm:request_success",
}
HISTOGRAMS = {
    "vllm:time_to_first_token_seconds",
    "vllm:inter_token_latency_seconds",
    "vllm:request_time_per_output_token_seconds",
    "vllm:e2e_request_latency_seconds",
    "vllm:request_queue_time_seconds",
    "vllm:request_inference_time_seconds",
    "vllm:request_prefill_time_seconds",
    "vllm:request_decode_time_seconds",
    "vllm:request_prompt_tokens",
    "vllm:request_generation_tokens",
    "vllm:iteration_tokens_total",
}


def families(page: bytes) -> dict[str, Any]:
    return {family.name: family for family in text_string_to_metric_families(page.decode())}


def value(page: bytes, sample: str, **labels: str) -> float:
    """The one sample of this name whose labels include these."""
    found: list[float] = [
        line.value
        for family in families(page).values()
        for line in family.samples
        if line.name == sample and labels.items() <= line.labels.items()
    ]
    assert len(found) == 1, (sample, labels, found)
    return found[0]


def served(*works: Work) -> tuple[Engine, Meters]:
    """One request after another through a fresh engine."""
    engine, meters = Engine(PROFILE), Meters("m", max_model_len=10_000)
    now = 0.0
    for work in works:
        engine.submit(work, now)
        while (step := engine.begin(now)) is not None:
            meters.began(step)
            now += step.seconds
            meters.completed(step, engine.complete(step, now))
    return engine, meters


def test_every_family_has_vllms_name_type_and_labels():
    page = Meters('m"1\\', max_model_len=10_000).page(Engine(PROFILE))
    found = families(page)
    assert {name for name, family in found.items() if family.type == "gauge"} == GAUGES
    assert {name for name, family in found.items() if family.type == "counter"} == COUNTERS
    assert {name for name, family in found.items() if family.type == "histogram"} == HISTOGRAMS
    for name, family in found.items():
        for sample in family.samples:
            assert sample.labels["engine"] == "0"
            if name != "vllm:cache_config_info":
                assert sample.labels["model_name"] == 'm"1\\'
    config = found["vllm:cache_config_info"].samples[0].labels
    assert "model_name" not in config
    assert int(config["block_size"]) * int(config["num_gpu_blocks"]) == PROFILE.kv_tokens


def test_the_numbers_are_those_of_what_was_served():
    shared = tuple(range(1, 64))
    work = Work(prompt_tokens=1000, output_tokens=8, finish="stop", blocks=shared[:62])
    engine, meters = served(work, work)
    page = meters.page(engine)
    assert value(page, "vllm:prompt_tokens_total") == 2000
    assert value(page, "vllm:prefix_cache_queries_total") == 2000
    assert value(page, "vllm:prefix_cache_hits_total") == 992
    assert value(page, "vllm:prompt_tokens_by_source_total", source="local_compute") == 1008
    assert value(page, "vllm:prompt_tokens_by_source_total", source="local_cache_hit") == 992
    assert value(page, "vllm:generation_tokens_total") == 16
    assert value(page, "vllm:request_success_total", finished_reason="stop") == 2
    assert value(page, "vllm:request_success_total", finished_reason="length") == 0
    assert value(page, "vllm:inter_token_latency_seconds_count") == 14
    assert value(page, "vllm:time_to_first_token_seconds_count") == 2
    assert value(page, "vllm:e2e_request_latency_seconds_count") == 2
    assert value(page, "vllm:iteration_tokens_total_sum") == 1008 + 14
    assert value(page, "vllm:kv_cache_usage_perc") == 0


def test_gauges_show_the_engine_as_it_is():
    engine, meters = Engine(PROFILE, max_sequences=1), Meters("m", max_model_len=10_000)
    for _ in range(3):
        engine.submit(Work(prompt_tokens=160, output_tokens=1), 0.0)
    engine.begin(0.0)
    page = meters.page(engine)
    assert value(page, "vllm:num_requests_running") == 1
    assert value(page, "vllm:num_requests_waiting") == 2
    assert value(page, "vllm:num_requests_waiting_by_reason", reason="capacity") == 2
    assert value(page, "vllm:kv_cache_usage_perc") == 10 / engine.cache.capacity


def test_buckets_are_cumulative_and_end_with_the_count():
    engine, meters = served(Work(prompt_tokens=3000, output_tokens=50))
    for name in HISTOGRAMS:
        samples = families(meters.page(engine))[name].samples
        buckets = [sample.value for sample in samples if sample.name.endswith("_bucket")]
        assert buckets == sorted(buckets)
        assert buckets[-1] == next(sample.value for sample in samples if sample.name.endswith("_count"))


def test_a_bound_belongs_to_its_own_bucket():
    histogram = Histogram((0.1, 0.5))
    for observed in (0.1, 0.5, 0.6):
        histogram.observe(observed)
    buckets = [line.rsplit(" ", 1)[1] for line in histogram.lines("h", 'a="b"') if "_bucket" in line]
    assert buckets == ["1.0", "2.0", "3.0"]


def test_the_first_bounds_are_those_dashboards_expect():
    found = families(Meters("m", max_model_len=10_000).page(Engine(PROFILE)))

    def bounds(name: str) -> list[str]:
        return [sample.labels["le"] for sample in found[name].samples if "le" in sample.labels]

    assert bounds("vllm:request_queue_time_seconds")[0] == "0.3"
    assert bounds("vllm:time_to_first_token_seconds")[:3] == ["0.001", "0.005", "0.01"]
    assert bounds("vllm:inter_token_latency_seconds")[:2] == ["0.01", "0.025"]
    assert bounds("vllm:request_prompt_tokens")[-2:] == ["10000.0", "+Inf"]
