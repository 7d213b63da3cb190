"""What was only tried is gone at once: of a fleet, and of a program, nothing goes round in a circle."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from coordination.compiler import build
from coordination.program.index import load
from coordination.scheduling import answer, evaluate, run_vectors
from coordination.spec import SourceFile, read
from tests.support.policies import NEW_YEAR_2026

ROOT = Path(__file__).parents[3] / "examples"
EXAMPLES = sorted(folder.name for folder in ROOT.iterdir() if folder.is_dir())


@pytest.fixture
def collector():
    """Switched off, with nothing left to collect."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_is_left_of_a_request_that_was_tried(example, collector):
    files = [SourceFile(f.name, f.read_bytes()) for f in sorted((ROOT / example).glob("*.yaml"))]
    records, _, vectors, _ = build(read(files)[0], environment="dev", at=NEW_YEAR_2026)
    assert records is not None
    program = load(records)
    assert run_vectors(program, vectors) == []
    gc.collect()
    for vector in vectors:
        evaluate(program, vector.request)
        answer(program, vector.request)
    assert gc.collect() == 0
    del program
    assert gc.collect() == 0
