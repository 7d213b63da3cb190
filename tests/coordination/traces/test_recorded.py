"""Does a recording come back in the order of arrival, whatever order its requests ended in?"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.simulator import Client, Mix, from_trace
from coordination.traces import TraceError, inspect, read_trace
from coordination.traces.recorded import Recorded, ids_of, line, opening

LONGEST = 1_000


def written(folder: Path, *requests: Recorded, first: bytes = opening(LONGEST)) -> Path:
    file = folder / "recorded.jsonl"
    file.write_bytes(first + b"".join(line(one) for one in requests))
    return file


def request(at: int, ended: int, **changes) -> Recorded:
    given_ = {"tenant": "acme", "model": "m", "input_tokens": 1100, "output_tokens": 3, **changes}
    return Recorded(at=at, ended=ended, **given_)


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, LONGEST)), min_size=1, max_size=60))
def test_requests_come_in_order_of_arrival(tmp_path_factory, made):
    requests = sorted((request(at, at + took) for at, took in made), key=lambda one: one.ended)
    file = written(tmp_path_factory.mktemp("trace"), *requests)
    origin = min(at for at, _ in made)
    assert [one.arrival_us for one in read_trace(file)] == sorted(at - origin for at, _ in made)


def test_who_sent_it_is_kept_and_no_mix_gives_it_to_another(tmp_path):
    sent = request(5, 9, tier="flex", session="s1", max_tokens=7, hash_ids=ids_of(list(range(8))))
    (arrival,) = from_trace(
        read_trace(written(tmp_path, sent)), Mix((Client("globex"),), "other"), speed=1, seed=1
    )
    assert (arrival.tenant, arrival.service_tier, arrival.model) == ("acme", "flex", "m")
    assert (arrival.prompt_tokens, arrival.output_tokens, arrival.max_tokens) == (1100, 3, 7)
    assert arrival.blocks == (3, 7)


@pytest.mark.parametrize(
    ("requests", "first", "number", "says"),
    [
        ([request(9, 5)], opening(LONGEST), 2, "ended -4 us after"),
        ([request(0, 5000)], opening(LONGEST), 2, "ended 5000 us after"),
        ([request(9000, 9500), request(0, 600)], opening(LONGEST), 3, "out of order"),
        ([request(0, 1, hash_ids=(1, 2, 3, 4))], opening(LONGEST), 2, "do not make 4 hash ids"),
        ([request(0, 1)], b'{"headway":"recording/2","longest_us":1}\n', 1, "reads recording/1"),
        ([request(0, 1)], b'{"headway":"recording/1"}\n', 1, "longest_us"),
        ([], opening(LONGEST), 0, "holds no request"),
    ],
)
def test_a_damaged_recording_is_told_with_its_line(tmp_path, requests, first, number, says):
    with pytest.raises(TraceError, match=says) as told:
        list(read_trace(written(tmp_path, *requests, first=first)))
    assert told.value.line == number


def test_an_inspection_tells_of_a_recording_and_of_every_bad_line(tmp_path):
    sound = written(tmp_path, request(7, 9), request(5, 12), request(11, 13))
    found = inspect(sound)
    assert (found.ok, found.format, found.requests, found.span_us) == (True, "recording", 3, 6)
    assert (found.input_tokens, found.output_tokens) == (3300, 9)
    sound.write_bytes(sound.read_bytes() + line(request(9, 5)) + b"{}\n" + line(request(12, 14)))
    found = inspect(sound)
    assert [fault.line for fault in found.faults] == [5, 6]
    assert found.requests == 4
    sound.write_bytes(b'{"headway":"recording/9","longest_us":1}\n')
    (fault,) = inspect(sound).faults
    assert (fault.line, fault.message) == (1, "a recording/9; this version reads recording/1")
