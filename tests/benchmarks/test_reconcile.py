"""The comparison of both books finds what is wrong with either."""

from __future__ import annotations

import pytest

from benchmarks.reconcile import reconcile

ENTRY = {"request_id": "r", "prompt_tokens": 11, "cached_tokens": 4, "output_tokens": 3}
EVENT = {
    "request_id": "r",
    "attempt": 1,
    "kind": "settled",
    "outcome": "completed",
    "counted_by": "engine",
    "uncached_input": 7,
    "cached_input": 4,
    "cache_write": 0,
    "output": 3,
    "reasoning": 0,
    "cost_nano": 5,
}
LEFT = {**EVENT, "outcome": "aborted", "counted_by": "gateway", "uncached_input": 9, "output": 2}
KILLED = {**LEFT, "kind": "interrupted", "outcome": "interrupted", "output": 0}
FAILED = {**EVENT, "kind": "failed", "outcome": "failed", "counted_by": "gateway"}
FREE = {**FAILED, "uncached_input": 0, "cached_input": 0, "output": 0, "cost_nano": 0}


def test_books_that_agree():
    second = {**ENTRY, "request_id": "s"}
    found = reconcile([ENTRY, second], [FREE, {**EVENT, "attempt": 2}, {**LEFT, "request_id": "s"}])
    assert (found.problems, found.exact, found.broken_off, found.failed, found.short) == ([], 1, 1, 1, 1)
    assert reconcile([ENTRY], [KILLED]).interrupted == 1


@pytest.mark.parametrize(
    ("fleet", "ledger"),
    [
        pytest.param([ENTRY], [{**EVENT, "output": 4}], id="one output token too many"),
        pytest.param([ENTRY], [{**EVENT, "cached_input": 5, "uncached_input": 6}], id="cached wrongly"),
        pytest.param([ENTRY], [{**EVENT, "uncached_input": 6}], id="one input token too few"),
        pytest.param([ENTRY], [], id="served for nobody's account"),
        pytest.param([], [EVENT], id="billed and never served"),
        pytest.param([ENTRY], [EVENT, EVENT], id="billed twice"),
        pytest.param([ENTRY], [EVENT, {**KILLED}], id="settled and interrupted"),
        pytest.param([ENTRY, ENTRY], [EVENT], id="served twice, billed once"),
        pytest.param([ENTRY], [{**LEFT, "output": 4}], id="more than was produced"),
        pytest.param([], [FAILED], id="a failed attempt that costs"),
    ],
)
def test_what_is_wrong_is_found(fleet, ledger):
    assert reconcile(fleet, ledger).problems
