"""A histogram whose buckets grow by a constant factor: any percentile within 2.17 %, merged by adding.

Bucket i holds values in (g^(i-1), g^i], g = 2^(1/16): OpenTelemetry's exponential histogram at scale
4. A bucket answers with the point whose relative error to both ends is the same, 2g/(1+g) times its
lower end, so no answer is further than (g-1)/(g+1) = 2.17 % from a value that was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, log2
from typing import Final

SCALE: Final = 16
"""Buckets for each doubling."""
GROWTH: Final = 2.0 ** (1 / SCALE)
RELATIVE_ERROR: Final = (GROWTH - 1) / (GROWTH + 1)
_MIDDLE: Final = 2 * GROWTH / (1 + GROWTH)
VERSION: Final = 1
_FOLDED: Final = 256
"""Values that are kept as they are before they are counted, all in one go."""


class MalformedSketch(ValueError):
    """Bytes that ``to_bytes`` never wrote."""


class Sketch:
    """Counts of positive integers (say, microseconds) by bucket. Zero is counted apart, exactly."""

    __slots__ = ("_buckets", "_count", "_fresh", "_total", "zeros")

    def __init__(self) -> None:
        self._buckets: dict[int, int] = {}
        self.zeros = 0
        self._count = 0
        self._total = 0
        self._fresh: list[int] = []
        """Positive values that are not in the buckets yet."""

    @property
    def buckets(self) -> dict[int, int]:
        """Bucket -> how many values it holds."""
        self._fold()
        return self._buckets

    @property
    def count(self) -> int:
        return self._count + len(self._fresh)

    @property
    def total(self) -> int:
        """Sum of the values: the mean is exact."""
        self._fold()
        return self._total

    @classmethod
    def of(cls, values: Iterable[int]) -> Sketch:
        sketch = cls()
        for value in values:
            sketch.add(value)
        return sketch

    def add(self, value: int, times: int = 1) -> None:
        """Count ``value`` (>= 0). ``ValueError`` if it is negative."""
        if times == 1 and value > 0:
            fresh = self._fresh
            fresh.append(value)
            if len(fresh) >= _FOLDED:
                self._fold()
            return
        if value <= 0:
            if value < 0:
                raise ValueError(f"a sketch counts magnitudes, not {value}")
            self.zeros += times
        else:
            index = bucket_of(value)
            self._buckets[index] = self._buckets.get(index, 0) + times
        self._count += times
        self._total += value * times

    def extend(self, values: Sequence[int]) -> None:
        """``add`` for each of ``values``."""
        if values and min(values) < 0:
            raise ValueError(f"a sketch counts magnitudes, not {min(values)}")
        zeros = values.count(0)
        self.zeros += zeros
        self._count += zeros
        self._fresh += filter(None, values) if zeros else values
        if len(self._fresh) >= _FOLDED:
            self._fold()

    def weigh(self, values: Sequence[int], times: Sequence[int]) -> None:
        """``add`` for each of ``values``, as often as ``times`` says at the same place."""
        if values and min(values) < 0:
            raise ValueError(f"a sketch counts magnitudes, not {min(values)}")
        buckets = self._buckets
        counted = total = 0
        for value, count in zip(values, times, strict=True):
            counted += count
            total += value * count
            if value & (value - 1):
                index = ceil(log2(value) * SCALE)
            elif value:
                index = SCALE * (value.bit_length() - 1)
            else:
                self.zeros += count
                continue
            buckets[index] = buckets.get(index, 0) + count
        self._count += counted
        self._total += total

    def _fold(self) -> None:
        """Put what is fresh into the buckets: one loop over many costs a third of as many calls."""
        fresh = self._fresh
        if not fresh:
            return
        buckets = self._buckets
        for value in fresh:
            if value & (value - 1):
                index = ceil(log2(value) * SCALE)
            else:
                index = SCALE * (value.bit_length() - 1)
            buckets[index] = buckets.get(index, 0) + 1
        self._count += len(fresh)
        self._total += sum(fresh)
        fresh.clear()

    def merge(self, other: Sketch) -> None:
        """Add everything ``other`` counted: order and grouping do not matter."""
        for index, count in other.buckets.items():
            self._buckets[index] = self._buckets.get(index, 0) + count
        self.zeros += other.zeros
        self._count += other._count
        self._total += other._total

    def percentile(self, percent: float) -> float | None:
        """The value at or below which ``percent`` of the counted lie; ``None`` if nothing was counted."""
        if not 0 <= percent <= 100:
            raise ValueError(f"{percent} is not a percentage")
        if not self.count:
            return None
        rank = max(1, ceil(percent / 100 * self.count))
        if rank <= self.zeros:
            return 0.0
        seen = self.zeros
        index = 0
        for index in sorted(self.buckets):
            seen += self.buckets[index]
            if seen >= rank:
                break
        return middle_of(index)

    @property
    def mean(self) -> float | None:
        return self.total / self.count if self.count else None

    def count_at_most(self, value: int) -> int:
        """How many counted values are <= ``value``, to within the one bucket that holds ``value``."""
        if value <= 0:
            return self.zeros if value == 0 else 0
        limit = bucket_of(value)
        return self.zeros + sum(count for index, count in self.buckets.items() if index <= limit)

    def to_bytes(self) -> bytes:
        """Sparse: version, zeros, total, then (gap to the next bucket, count) pairs as varints."""
        written = bytearray((VERSION,))
        _put(written, self.zeros)
        _put(written, self.total)
        previous = 0
        for index in sorted(self.buckets):
            _put(written, index - previous)
            _put(written, self.buckets[index])
            previous = index
        return bytes(written)

    @classmethod
    def from_bytes(cls, data: bytes) -> Sketch:
        """Raises ``MalformedSketch``."""
        if not data or data[0] != VERSION:
            raise MalformedSketch("not a sketch of a version known here")
        numbers = _numbers(data)
        sketch = cls()
        try:
            sketch.zeros, sketch._total = next(numbers), next(numbers)
        except StopIteration:
            raise MalformedSketch("cut short") from None
        sketch._count = sketch.zeros
        index = 0
        for position, gap in enumerate(numbers):
            count = next(numbers, 0)
            if count == 0 or (gap == 0 and position):
                raise MalformedSketch("a bucket without a count, or one twice")
            index += gap
            sketch._buckets[index] = count
            sketch._count += count
        return sketch

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sketch) and (self.zeros, self.total, self.buckets) == (
            other.zeros,
            other.total,
            other.buckets,
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"Sketch(count={self.count}, p50={self.percentile(50)}, p99={self.percentile(99)})"


def bucket_of(value: int) -> int:
    """The bucket of a positive integer. Exact at powers of two, where rounding would show most."""
    if value & (value - 1) == 0:
        return SCALE * (value.bit_length() - 1)
    return ceil(log2(value) * SCALE)


def middle_of(index: int) -> float:
    """The value a bucket answers with; bucket i ends at g^i, and the first holds 1 alone."""
    return 1.0 if index == 0 else GROWTH ** (index - 1) * _MIDDLE


def _put(written: bytearray, number: int) -> None:
    """LEB128."""
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data[1:]:
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 140:
            raise MalformedSketch("a number too long to be one")
        if byte < 0x80:
            yield number
            number = shift = 0
    if shift:
        raise MalformedSketch("cut short")
