"""What one request says of its tier's promises: of its own class alone, and of its own deadline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.program.records import LengthRecord, ObjectiveRecord
from coordination.scheduling.attainment import Ending, Gaps, counted

SECOND = 1_000_000
KEPT, MISSED, NOTHING = (1, 1), (0, 1), (0, 0)


def promise(metric: str, target: int = SECOND, least: int = 0, most: int | None = 8000) -> ObjectiveRecord:
    length = LengthRecord(min=least, max=most)
    return ObjectiveRecord(metric=metric, target=target, uncached_input=length)  # type: ignore[arg-type]


def ending(**facts: object) -> Ending:
    told = {"uncached": 100, "lasted": SECOND // 2, "done": True, "broken": False, **facts}
    return Ending(**told)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "ended", "says"),
    [
        ("ttft", {"ttft": SECOND}, KEPT),
        ("ttft", {"ttft": SECOND + 1}, MISSED),
        ("ttft", {"ttft": SECOND + 1, "done": False}, MISSED),
        ("ttft", {}, NOTHING),
        ("e2e", {"lasted": SECOND}, KEPT),
        ("e2e", {"lasted": SECOND + 1}, MISSED),
        ("e2e", {"lasted": 2 * SECOND, "done": False, "broken": True}, NOTHING),
        ("deadline", {"lasted": SECOND}, KEPT),
        ("deadline", {"lasted": SECOND + 1}, MISSED),
        ("deadline", {"lasted": 3 * SECOND, "deadline": 3 * SECOND}, KEPT),
        ("deadline", {"lasted": SECOND, "deadline": SECOND - 1}, MISSED),
        ("deadline", {"lasted": 5, "done": False, "broken": True}, MISSED),
        ("deadline", {"lasted": SECOND, "done": False}, NOTHING),
        ("deadline", {"lasted": SECOND + 1, "done": False}, MISSED),
        ("itl", {}, NOTHING),
    ],
    ids=[
        "first byte as promised",
        "first byte a microsecond late",
        "late, and cut off",
        "no first byte, or no stream",
        "whole answer as promised",
        "whole answer late",
        "no whole answer",
        "before the tier's own deadline",
        "after it",
        "its own is later",
        "its own is earlier",
        "we failed it at once",
        "its client left in time",
        "its client left when it was late",
        "no stream",
    ],
)
def test_what_is_kept_and_what_was_given(metric, ended, says):
    assert counted(promise(metric), ending(**ended)) == says


def test_gaps_count_by_the_token():
    gaps = Gaps((SECOND, 2 * SECOND))
    gaps.passed(3, 3 * SECOND)
    gaps.passed(2, 4 * SECOND)
    gaps.passed(1, 5 * SECOND)
    assert counted(promise("itl"), ending(gaps=gaps)) == (3, 6)
    assert counted(promise("tpot", 2 * SECOND), ending(gaps=gaps)) == (5, 6)
    assert counted(promise("itl", 7), ending(gaps=gaps)) == NOTHING, "a bound that was not counted"


metrics = st.sampled_from(["ttft", "e2e", "deadline"])


@given(metrics, st.integers(0, 50), st.lists(st.integers(1, 40), max_size=4, unique=True), st.booleans())
def test_of_classes_that_join_without_a_gap_each_request_is_in_one(metric, uncached, cuts, late):
    edges = sorted(cuts)
    starts, ends = [0, *(edge + 1 for edge in edges)], [*edges, None]
    ended = ending(uncached=uncached, ttft=SECOND + late, lasted=SECOND + late)
    told = [
        counted(promise(metric, SECOND, least, most), ended) for least, most in zip(starts, ends, strict=True)
    ]
    assert [sum(each) for each in zip(*told, strict=True)] == [int(not late), 1]
