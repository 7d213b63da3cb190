"""Are traces read record by record, and is a damaged one named by file and line?"""

from __future__ import annotations

import itertools
import json
import tracemalloc
from pathlib import Path

import pytest

from coordination.traces import TraceError, read_trace
from simfleet.traces.generate import TraceShape, generate

GOOD = '{"timestamp": 12, "input_length": 600, "output_length": 5, "hash_ids": [0, 7]}'
AZURE = "TIMESTAMP,ContextTokens,GeneratedTokens"


def written(folder: Path, *lines: str) -> Path:
    path = folder / "trace"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_mooncake_record_gives_arrival_lengths_and_blocks(tmp_path):
    second = GOOD.replace("12", "3027")
    first, then = read_trace(written(tmp_path, GOOD, "", second))
    assert (first.line, first.arrival_us, first.input_tokens, first.output_tokens) == (1, 0, 600, 5)
    assert first.blocks == (0, 7)
    assert (then.line, then.arrival_us) == (3, 3_015_000)


def test_an_azure_record_gives_arrival_and_lengths_and_no_blocks(tmp_path):
    path = written(
        tmp_path,
        "\ufeff" + AZURE,
        "2023-11-16 18:59:59.9799600,4808,10",
        "2023-11-16 19:00:00,3180,8",
        "2023-11-16 19:00:00.0300000+00:00,1,1",
    )
    assert [(r.line, r.arrival_us, r.input_tokens, r.output_tokens, r.blocks) for r in read_trace(path)] == [
        (2, 0, 4808, 10, ()),
        (3, 20_040, 3180, 8, ()),
        (4, 50_040, 1, 1, ()),
    ]


@pytest.mark.parametrize(
    ("lines", "line", "says"),
    [
        pytest.param([GOOD, GOOD[:-3]], 2, "not JSON: input data was truncated", id="a record cut short"),
        pytest.param([GOOD, "[]"], 2, "expected an object, got a list", id="a record of another shape"),
        pytest.param([GOOD, '{"timestamp": 12}'], 2, "input_length", id="a missing member"),
        pytest.param(
            [GOOD.replace("600", '"600"')],
            1,
            "input_length: expected a whole number, got text",
            id="a number in quotes",
        ),
        pytest.param([GOOD.replace("600", "0")], 1, ">= 1", id="an empty prompt"),
        pytest.param([GOOD.replace("600", "99999999999")], 1, "<= 4194304", id="an absurd prompt"),
        pytest.param([GOOD.replace("[0, 7]", "[0]")], 1, "make 2 blocks", id="a block missing"),
        pytest.param([GOOD.replace("[0, 7]", "[0, -7]")], 1, ">= 0", id="a negative hash id"),
        pytest.param([GOOD, GOOD.replace("12", "11")], 2, "1000 us before", id="an arrival in the past"),
        pytest.param([GOOD, " " * 2_000_000], 2, "bytes", id="an endless line"),
        pytest.param(["id,tokens", "1,2"], 1, "neither a Mooncake record", id="another format"),
        pytest.param([AZURE, "2023-11-16 18:17:03.97,1"], 2, "2 columns", id="a column short"),
        pytest.param([AZURE, "yesterday,1,1"], 2, "TIMESTAMP 'yesterday'", id="no timestamp"),
        pytest.param([AZURE, "2023-02-30 18:17:03,1,1"], 2, "day", id="a day that never was"),
        pytest.param([AZURE, "2023-11-16 18:17:03,1_0,1"], 2, "ContextTokens '1_0'", id="not a number"),
        pytest.param([AZURE, "2023-11-16 18:17:03,1,0"], 2, "GeneratedTokens '0'", id="no answer"),
        pytest.param([AZURE, "2023-11-16 18:17:03,9999999,1"], 2, "more than", id="an absurd context"),
        pytest.param([AZURE], 0, "no request", id="a header alone"),
        pytest.param([""], 0, "empty", id="an empty file"),
    ],
)
def test_a_bad_record_is_an_error_at_its_line(tmp_path, lines, line, says):
    path = written(tmp_path, *lines)
    with pytest.raises(TraceError) as caught:
        list(read_trace(path))
    assert caught.value.line == line
    assert says in str(caught.value)
    assert str(caught.value).startswith(f"{path}:{line}: " if line else f"{path}: ")


def test_bytes_that_are_no_text_are_an_error_at_their_line(tmp_path):
    path = tmp_path / "trace"
    path.write_bytes(GOOD.encode() + b"\n\xff\xfe\x00\n")
    with pytest.raises(TraceError, match=r":2: not UTF-8"):
        list(read_trace(path))


@pytest.mark.parametrize("missing", ["nowhere.jsonl", "."])
def test_what_cannot_be_opened_is_an_error_of_the_file(tmp_path, missing):
    with pytest.raises(TraceError, match=str(tmp_path / missing)):
        list(read_trace(tmp_path / missing))


def test_records_before_the_bad_one_are_already_delivered(tmp_path):
    reading = read_trace(written(tmp_path, GOOD, GOOD, "{"))
    assert len(list(itertools.islice(reading, 2))) == 2
    with pytest.raises(TraceError, match=":3: "):
        next(reading)


def test_reading_holds_one_line_and_not_the_file(tmp_path):
    path = tmp_path / "long.jsonl"
    line = json.dumps(
        {"timestamp": 0, "input_length": 512 * 50, "output_length": 1, "hash_ids": [*range(50)]}
    )
    path.write_text((line + "\n") * 20_000)
    assert path.stat().st_size > 5_000_000
    tracemalloc.start()
    assert sum(1 for _ in read_trace(path)) == 20_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


def test_the_generator_writes_what_the_reader_reads_the_same_for_a_seed(tmp_path):
    records = list(generate(TraceShape(requests=200), seed=3))
    assert records == list(generate(TraceShape(requests=200), seed=3))
    assert records != list(generate(TraceShape(requests=200), seed=4))
    read = list(read_trace(written(tmp_path, *map(json.dumps, records))))
    assert [list(r.blocks) for r in read] == [record["hash_ids"] for record in records]
    # Conversations grow: some prompt extends an earlier one by whole blocks.
    seen = {r.blocks[:-1] for r in read}
    assert any(r.blocks[:-1][:n] in seen for r in read for n in range(2, len(r.blocks) - 1))


def test_the_example_trace_reads_and_is_what_its_generator_writes():
    example = Path(__file__).parents[3] / "examples" / "quickstart" / "trace.jsonl"
    made = list(generate(TraceShape(), seed=7))
    assert [json.loads(line) for line in example.read_text().splitlines()] == made
    assert sum(1 for _ in read_trace(example)) == len(made)
