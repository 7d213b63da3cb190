"""The fleet's own book of what it served."""

from __future__ import annotations

from simfleet.record import Record


def add(record: Record, name: str, *, output: int = 10, outcome="completed") -> None:
    record.add(
        request_id=name,
        outcome=outcome,
        finish_reason="stop",
        prompt_tokens=100,
        cached_tokens=16,
        output_tokens=output,
        delivered_tokens=output - 1,
        computed_tokens=100 - 16 + output - 1,
    )


def test_totals_remember_what_single_entries_forget():
    record = Record(keep=3)
    for number in range(5):
        add(record, f"r{number}", outcome="completed" if number % 2 else "aborted")
    page = record.page(0, 100)
    assert [served.request_id for served in page["requests"]] == ["r2", "r3", "r4"]
    assert page["oldest_kept"] == 3
    totals = page["totals"]
    assert (totals.completed, totals.aborted) == (2, 3)
    assert (totals.prompt_tokens, totals.cached_tokens, totals.output_tokens) == (500, 80, 50)
    assert (totals.delivered_tokens, totals.computed_tokens) == (45, 465)


def test_pages_follow_one_another_without_gap_or_overlap():
    record = Record()
    for number in range(7):
        add(record, f"r{number}")
    seen, after = [], 0
    while after is not None:
        page = record.page(after, 3)
        seen += [served.number for served in page["requests"]]
        after = page["next_after"]
    assert seen == [1, 2, 3, 4, 5, 6, 7]
    assert record.page(7, 3)["requests"] == []
    assert record.page(99, 3)["next_after"] is None


def test_a_retried_request_is_two_entries():
    record = Record()
    add(record, "same", outcome="aborted")
    add(record, "same")
    assert [served.outcome for served in record.after(0, 10)] == ["aborted", "completed"]
