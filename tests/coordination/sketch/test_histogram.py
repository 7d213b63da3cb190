"""The sketch against the values themselves."""

from __future__ import annotations

import contextlib
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.sketch import RELATIVE_ERROR, Sketch
from coordination.sketch.histogram import MalformedSketch, bucket_of

values = st.lists(st.integers(0, 10**12), min_size=1, max_size=200)


def exact(numbers: list[int], percent: float) -> int:
    return sorted(numbers)[max(1, ceil(percent / 100 * len(numbers))) - 1]


@given(values, st.floats(0, 100))
def test_any_percentile_is_within_the_stated_error_of_the_exact_one(numbers, percent):
    found = Sketch.of(numbers).percentile(percent)
    wanted = exact(numbers, percent)
    assert found == pytest.approx(wanted, rel=RELATIVE_ERROR * 1.0001, abs=0)


@given(values, values)
def test_merging_equals_counting_everything_in_one(left, right):
    merged = Sketch.of(left)
    merged.merge(Sketch.of(right))
    assert merged == Sketch.of(left + right)
    assert merged.count == len(left) + len(right)
    assert merged.mean == pytest.approx(sum(left + right) / len(left + right))


@given(values)
def test_bytes_round_trip(numbers):
    sketch = Sketch.of(numbers)
    again = Sketch.from_bytes(sketch.to_bytes())
    assert again == sketch
    assert again.count == sketch.count


@given(st.binary(max_size=60))
def test_foreign_bytes_are_refused_or_read_never_crash(data):
    with contextlib.suppress(MalformedSketch):
        Sketch.from_bytes(data)


@given(st.integers(1, 2**60))
def test_buckets_never_decrease_with_the_value(value):
    assert bucket_of(value) <= bucket_of(value + 1)


@given(values, st.integers(0, 10**12))
def test_counting_up_to_a_value_errs_only_within_its_own_bucket(numbers, value):
    counted = Sketch.of(numbers).count_at_most(value)
    assert sum(n <= value for n in numbers) <= counted
    assert counted <= sum(n <= value * (1 + 2.2 * RELATIVE_ERROR) + 1 for n in numbers)


def test_nothing_counted_is_unknown_not_zero():
    assert Sketch().percentile(50) is None
    assert Sketch().mean is None


def test_five_hundred_latencies_take_about_two_hundred_bytes():
    latencies = [200_000 + 997 * i for i in range(500)]
    assert len(Sketch.of(latencies).to_bytes()) < 250


def test_a_negative_value_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="magnitudes"):
        Sketch().add(-1)


@given(st.lists(st.tuples(st.integers(0, 1 << 40), st.integers(1, 300)), max_size=400))
def test_many_at_once_are_counted_as_one_by_one(counted):
    one, together, weighed = Sketch(), Sketch(), Sketch()
    for value, times in counted:
        one.add(value, times)
    together.extend(tuple(value for value, times in counted for _ in range(times)))
    weighed.weigh([value for value, _ in counted], [times for _, times in counted])
    assert one == together == weighed
    assert one.count == together.count == weighed.count


def test_a_negative_value_is_refused_among_many_too():
    for many in (lambda: Sketch().extend((3, -1)), lambda: Sketch().weigh([3, -1], [1, 1])):
        with pytest.raises(ValueError, match="magnitudes"):
            many()
