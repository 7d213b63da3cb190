"""An inspection finds a fault exactly where the reader stops, and counts what the reader yields."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.traces import TraceError, inspect, read_trace
from coordination.traces.records import MAX_LINE_BYTES
from tests.support.policies import ROOT

GOOD = st.builds(
    lambda at, blocks, out: json.dumps(
        {
            "timestamp": at,
            "input_length": 512 * blocks,
            "output_length": out,
            "hash_ids": list(range(blocks)),
        }
    ),
    st.integers(0, 5),
    st.integers(1, 3),
    st.integers(1, 9),
)
BAD = st.sampled_from(
    ['{"timestamp": 1}', "{", "[]", '{"timestamp":-1,"input_length":1,"output_length":1,"hash_ids":[0]}', "x"]
)
LINES = st.lists(st.one_of(GOOD, GOOD, GOOD, BAD, st.just("")), max_size=8)


@given(LINES)
def test_it_agrees_with_the_reader(lines):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "trace"
        path.write_text("\n".join(lines))
        found = inspect(path)
        read, stopped = [], None
        try:
            for request in read_trace(path):
                read.append(request)
        except TraceError as error:
            stopped = error
    assert found.ok is (stopped is None)
    if stopped is None:
        assert found.requests == len(read)
        assert found.span_us == read[-1].arrival_us
        assert found.input_tokens == sum(one.input_tokens for one in read)
        assert found.output_tokens == sum(one.output_tokens for one in read)
    else:
        assert found.faults[0].line == stopped.line


@pytest.mark.parametrize(
    "trace", sorted(ROOT.glob("examples/*/trace.jsonl")), ids=lambda path: path.parent.name
)
def test_the_examples_are_sound(trace):
    assert inspect(trace).ok


def test_after_a_line_without_end_the_next_is_read(tmp_path):
    path = tmp_path / "trace"
    good = b'{"timestamp": 1, "input_length": 5, "output_length": 1, "hash_ids": [1]}\n'
    path.write_bytes(good + b"x" * (3 * MAX_LINE_BYTES) + b"\n" + good + b"\xff\n" + good)
    found = inspect(path)
    assert [fault.line for fault in found.faults] == [2, 4]
    assert found.requests == 3
