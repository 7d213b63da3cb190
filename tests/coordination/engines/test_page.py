"""What of a broken or hostile page is believed? Nothing that could be wrong, and reading it stays cheap."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.engines import PAGE_LIMIT, read
from coordination.engines.page import LINE_LIMIT, MOST_LINES, MOST_SERIES, samples

RUNNING = b"vllm:num_requests_running"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        (b'{engine="0",model_name="a} b"} 3.0', 3),
        (b'{engine="0"} 4.0 1700000000', 4),
        (b'{engine="0",} 4', 4),
        (b'{ engine = "0" , model_name="x" }\t4', 4),
        (b" 5", 5),
        (b"\t5", 5),
        (b" {} 5", 5),
        (b' {a="\\\\\\"\\n{}"} 5', 5),
        (b" 5\r", 5),
        (b'{engine="0"} 5 # {trace_id="x"} 1', 5),
        (b" 1e2", 100),
        (b"", None),
        (b" ", None),
        (b" x", None),
        (b" 1_0", None),
        (b" 1 2 3", None),
        (b" NaN", None),
        (b" +Inf", None),
        (b" 1e999", None),
        (b" -1", None),
        (b'{engine="0"}', None),
        (b'{engine="0" 1', None),
        (b'{engine=0} 1', None),
        (b'{engine="0"model="1"} 1', None),
        (b'{engine="0",engine="0"} 1', None),
        (b'{engine="\xff"} 1', None),
        (b'{"engine"} 1', None),
    ],
)  # fmt: skip
def test_a_line_is_read_strictly(line, value):
    assert read(RUNNING + line + b"\n", "vllm").running == value


@pytest.mark.parametrize(
    "page",
    [
        b"",
        RUNNING,
        b"x " + RUNNING + b" 3",
        b"# " + RUNNING + b" 3",
        RUNNING + b"_by_nobody 3",
        b"\xff\n" * 10,
        b'{"not": "a page"}',
    ],
)
def test_what_is_not_there_is_unknown_and_not_zero(page):
    told = read(page, "vllm")
    assert (told.running, told.waiting, told.kv_used_ppm) == (None, None, None)


def test_one_broken_series_spoils_the_sum_and_nothing_else():
    page = RUNNING + b'{engine="0"} 3\n' + RUNNING + b'{engine="1"} NaN\nvllm:num_requests_waiting 2\n'
    told = read(page, "vllm")
    assert (told.running, told.waiting) == (None, 2)
    assert told.doubts == ("vllm:num_requests_running: a value that is no finite number",)


def test_a_series_that_is_there_twice_is_not_counted_twice():
    told = read(RUNNING + b'{a="1",b="2"} 3\n' + RUNNING + b'{b="2",a="1"} 3\n')
    assert told.running is None
    assert told.doubts == ("vllm:num_requests_running: a series that is there twice",)


@pytest.mark.parametrize(
    ("page", "doubt"),
    [
        (RUNNING + b" 1\n" + b"x" * PAGE_LIMIT, f"the page has more than {PAGE_LIMIT} bytes"),
        (RUNNING + b" 1\n" + b"\n" * (MOST_LINES + 1), f"the page has more than {MOST_LINES} lines"),
        (
            RUNNING + b'{a="' + b"x" * LINE_LIMIT + b'"} 1\n',
            f"vllm:num_requests_running: a line has more than {LINE_LIMIT} bytes",
        ),
        (
            b"".join(RUNNING + b'{a="%d"} 1\n' % n for n in range(MOST_SERIES + 1)),
            f"vllm:num_requests_running: more than {MOST_SERIES} series",
        ),
        (b"vllm:kv_cache_usage_perc 62.5\n", "KV cache in use: 62.5 is more than all of it"),
        (
            b"vllm:prefix_cache_queries_total 1\nvllm:prefix_cache_hits_total 2\n",
            "more prompt tokens found in the cache than looked up",
        ),
        (
            b'vllm:cache_config_info{block_size="16",num_gpu_blocks="None"} 1\n',
            "vllm:cache_config_info: a value that cannot be",
        ),
    ],
)
def test_what_is_too_much_or_cannot_be_is_said_and_left_out(page, doubt):
    told = read(page, "vllm")
    assert told.doubts == (doubt,)
    assert (told.running, told.kv_used_ppm, told.kv_capacity, told.cached_tokens) == (None,) * 4


def test_a_long_line_nobody_wants_is_no_matter():
    page = b'other{a="' + b"x" * LINE_LIMIT * 2 + b'"} 1\n' + RUNNING + b" 3\n"
    assert read(page).running == 3


@given(st.binary(max_size=400) | st.text('vllm:num_requests_running{}="\\,0 \n#e', max_size=200))
def test_no_page_makes_it_raise(noise):
    page = noise.encode() if isinstance(noise, str) else noise
    told = read(RUNNING + page + b"\n" + page, "vllm", "m")
    assert told.running is None or told.running >= 0


def test_labels_are_unescaped_as_they_were_written():
    found = samples(b'm{a="\\\\x\\"y\\nz"} 1', {b"m"})
    assert found.series[b"m"][0].labels == {"a": '\\x"y\nz'}
