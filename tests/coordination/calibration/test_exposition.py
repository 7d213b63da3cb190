"""Is a page of metrics read as its engine meant it, whoever wrote it?"""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.calibration import EvidenceError, Scrapes
from coordination.calibration.exposition import increase, moments, read_page, spread

PAGE = b"""# HELP vllm:x_total How often.
# TYPE vllm:x_total counter
vllm:x_total{engine="0",model_name="a \\"b\\" {c}"} 3.0
vllm:x_total{engine="1",model_name="m"} 4 1700000000000
vllm:other 9
vllm:h_bucket{le="1.0"} 1
vllm:h_bucket{le="2.0"} 3
vllm:h_bucket{le="+Inf"} 4
vllm:h_count 4
vllm:h_sum 10
vllm:info{block_size="16",num_gpu_blocks="100"} 1.0
plain 5
"""
WANTED = ("vllm:x_total", "vllm:h", "plain")


def page(data: bytes, wanted=WANTED):
    return read_page("p", data, wanted, ("vllm:info",))


def test_series_of_a_name_are_added_up_and_others_are_not_kept():
    read = page(PAGE)
    assert read.values == {"vllm:x_total": 7.0, "vllm:h_count": 4.0, "vllm:h_sum": 10.0, "plain": 5.0}
    assert read.labels["vllm:info"]["num_gpu_blocks"] == "100"
    assert increase(page(b""), read, "vllm:x_total") == 7.0


def test_a_histograms_buckets_keep_its_exact_mean():
    mean, squares = moments(page(b""), page(PAGE), "vllm:h")
    assert mean == pytest.approx(2.5)
    assert squares > mean * mean
    assert sum(share for share, _ in spread(page(b""), page(PAGE), "vllm:h")) == pytest.approx(1.0)
    assert moments(page(PAGE), page(PAGE), "vllm:h") == (0.0, 0.0)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_page_or_are_refused(data):
    with contextlib.suppress(EvidenceError):
        read = page(b"vllm:x_total " + data)
        assert all(value >= 0 for value in read.values.values())


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"vllm:x_total", "p: vllm:x_total: a value that is no finite number"),
        (b'ok 1\nvllm:x_total{a="b" 3', "vllm:x_total: labels that cannot be read"),
        (b"vllm:x_total nan", "no finite number"),
        (b"vllm:x_total -1", "nothing that was counted"),
        (b"vllm:x_total 1\nvllm:x_total 1", "a series that is there twice"),
        (b'vllm:h_bucket{le="few"} 1', "a bucket up to `few`"),
        (b"plain 1\n" * 70_000, "lines"),
    ],
)
def test_a_damaged_page_is_told_with_the_name_that_is_broken(data, says):
    with pytest.raises(EvidenceError, match=says):
        page(data)


def test_pages_without_steps_or_load_are_refused():
    with pytest.raises(EvidenceError, match="without vllm:iteration_tokens_total"):
        Scrapes([[("p", b"vllm:prompt_tokens_total 1\n")]])
    idle = b"vllm:iteration_tokens_total_count 5\nvllm:iteration_tokens_total_sum 50\n"
    with pytest.raises(EvidenceError, match="scrape under load"):
        Scrapes([[("p", idle), ("q", idle)]])
