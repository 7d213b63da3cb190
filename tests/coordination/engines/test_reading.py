"""Is each engine's page read for what its makers meant, and what is not on it left unknown?

The pages are written from the metric dictionary, one for each engine and version whose names differ.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from coordination.capacity import PROFILES
from coordination.engines import DIALECTS, Reading, read
from coordination.engines.dictionary import spellings
from simfleet.engine import Engine
from simfleet.meters import Meters
from simfleet.tokens import BLOCK_TOKENS

PAGES = Path(__file__).parent / "pages"

READ = {
    "vllm-0.8": ("vllm", Reading("vllm", 5, 2, 375_000, 432_000, 4000, 1000, None)),
    "vllm-0.19": ("vllm", Reading("vllm", 7, 3, 625_000, 430_000, 1_600_000, 1_200_000, None)),
    "vllm-0.32-two-ranks-adapters": (
        "vllm",
        Reading("vllm", 10, 1, 500_000, 32_000, 800, 200, frozenset({"sql", "law", "poems"})),
    ),
    "sglang-0.4": ("sglang", Reading("sglang", 162, 21, 280_000, None, 8000, None, None)),
    "sglang-0.5-priorities-ranks": ("sglang", Reading("sglang", 9, 3, 500_000, 524_288, 1000, 300, None)),
    "tgi-3": ("tgi", Reading("tgi", 4, 7, None, None, None, None, None)),
    "sglang-0.5-prefill-and-decode": ("sglang", Reading("sglang", 2, 15, 250_000, 64_000, None, None, None)),
    "trtllm-1.3-prompt-counters": ("trtllm", Reading("trtllm", 1, 0, 0, None, 3000, 1000, None)),
    "trtllm-1.3": ("trtllm", Reading("trtllm", 9, 4, 750_000, 160_000, 3200, 960, None)),
    "triton-trtllm-0.17": ("trtllm", Reading("triton", 8, 3, 400_000, 398_720, None, None, None)),
    "llama.cpp-b5000": ("openai", Reading("llama.cpp", 1, 2, 62_500, None, None, None, None)),
}


def page(name: str) -> bytes:
    return (PAGES / f"{name}.txt").read_bytes()


@pytest.mark.parametrize("name", READ)
def test_each_page_is_read(name):
    engine, expected = READ[name]
    assert read(page(name), engine, "org/m") == expected


@pytest.mark.parametrize("name", READ)
def test_whose_page_it_is_needs_no_telling_and_a_wrong_telling_does_no_harm(name):
    _, expected = READ[name]
    assert read(page(name)) == expected
    others = {"vllm", "sglang", "tgi", "trtllm"} - {expected.engine}
    assert [read(page(name), other) for other in others] == [expected] * len(others)


def test_every_page_of_the_folder_is_in_the_table():
    assert {path.stem for path in PAGES.iterdir()} == READ.keys()


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda one: one.engine)
def test_every_engine_has_a_page_and_every_name_of_it_is_on_one(dialect):
    """Else the table could name a metric that nobody ever had."""
    whole = b"\n".join(page(name) for name in READ)
    on_pages = {line.partition(b"{")[0].split()[0] for line in whole.split(b"\n") if line.strip()}
    unproven = {
        metric.name
        for ways in dialect.ways().values()
        for way in ways
        for metric in way.metrics
        if on_pages.isdisjoint(spellings(metric.name, dialect.family))
    }
    assert unproven == set()


def test_an_exporter_that_changes_the_colon_or_adds_total_is_read_all_the_same():
    changed = page("trtllm-1.3").replace(b"trtllm_", b"trtllm:")
    assert read(changed, "trtllm") == READ["trtllm-1.3"][1]
    assert read(b"sglang_num_running_reqs 3\n", "sglang").running == 3
    assert read(b"vllm:prefix_cache_queries 8\nvllm:prefix_cache_hits 3\n").cached_tokens == 3


def test_an_older_name_beside_the_newer_is_not_added():
    both = b"vllm:kv_cache_usage_perc 0.25\nvllm:gpu_cache_usage_perc 0.99\n"
    assert read(both).kv_used_ppm == 250_000


def test_requests_of_a_page_with_several_models_are_those_of_the_pools_model():
    several = (
        b'vllm:num_requests_running{model_name="org/m"} 3\n'
        b'vllm:num_requests_running{model_name="org/other"} 90\n'
    )
    assert read(several, "vllm", "org/m").running == 3
    stranger = read(several, "vllm", "org/third")
    assert stranger.running is None
    assert stranger.doubts == ("vllm:num_requests_running: of several models, none of which is org/third",)
    assert read(several.splitlines()[1], "vllm", "org/m").running == 90, (
        "the one model has another name there"
    )


def test_of_two_engines_on_one_page_the_pools_own_is_read_and_else_neither():
    both = page("vllm-0.19") + page("tgi-3")
    assert read(both, "tgi") == READ["tgi-3"][1]
    assert read(both, "simulated") == READ["vllm-0.19"][1]
    assert read(both, "openai") == Reading(doubts=("metrics of several engines: vllm, tgi",))
    assert read(both, "sglang").engine is None


def test_what_the_simulated_fleet_writes_is_what_is_read():
    engine = Engine(PROFILES["llama-3-8b-h100-tp1"])
    told = read(Meters('m"1\\', max_model_len=10_000).page(engine), "simulated", 'm"1\\')
    assert told == Reading("vllm", 0, 0, 0, engine.cache.capacity * BLOCK_TOKENS, 0, 0, None)


def test_lists_of_adapters_are_those_of_the_latest_instant():
    told = read(page("vllm-0.32-two-ranks-adapters"))
    assert told.adapters is not None
    assert "old" not in told.adapters
    idle = b'vllm:lora_requests_info{max_lora="1",running_lora_adapters="",waiting_lora_adapters=""} 1.0\n'
    assert read(idle).adapters == frozenset()
