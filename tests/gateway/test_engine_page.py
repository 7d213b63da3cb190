"""Are an engine's gauges read under their current and older names, and unknown when absent?"""

from __future__ import annotations

import pytest

from gateway.engine_page import read_page

PAGE = b"""# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a} b"} 3.0
vllm:num_requests_running{engine="1",model_name="a"} 4.0 1700000000
# TYPE vllm:num_requests_waiting gauge
vllm:num_requests_waiting{model_name="a"} 2.0
vllm:num_requests_waiting_by_reason{reason="capacity"} 9.0
vllm:kv_cache_usage_perc{engine="0"} 0.25
vllm:kv_cache_usage_perc{engine="1"} 0.75
vllm:gpu_cache_usage_perc{engine="0"} 0.99
"""


def test_ranks_are_added_the_fullest_cache_counts_and_aliases_are_not_added():
    report = read_page(PAGE, at=7)
    assert (report.at, report.running, report.waiting, report.kv_used_ppm) == (7, 7, 2, 750_000)


def test_an_older_name_is_read_when_the_newer_is_absent():
    assert read_page(b"vllm:gpu_cache_usage_perc 0.5", at=0).kv_used_ppm == 500_000


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"vllm:num_requests_running",
        b"x vllm:num_requests_running 3",
        b"vllm:num_requests_running NaN\n",
        b"\xff",
    ],
)
def test_what_is_absent_or_broken_is_unknown_and_not_zero(page):
    report = read_page(page, at=0)
    assert (report.running, report.waiting, report.kv_used_ppm) == (None, None, None)
