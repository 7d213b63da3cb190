"""When is one of two sets of intervals in force and the other not? Half-open, sorted, disjoint; exact."""

from __future__ import annotations

from collections.abc import Iterator

from coordination.program.records import MILLION, Micros

Intervals = tuple[tuple[Micros, Micros | None], ...]
"""``None``: without end."""
HOUR: Micros = 3_600 * MILLION
FOR_EVER: Micros = 2**62
"""Later than any instant of the language."""


def cut(intervals: Intervals, since: Micros, until: Micros, *, ends: bool) -> Intervals:
    """The stretches that meet [since, until), none beginning before ``since``.

    With ``ends``, none ends after ``until`` either.
    """
    return tuple(
        (max(start, since), min(_end(end), until) if ends else end)
        for start, end in intervals
        if start < until and _end(end) > since
    )


def gained(before: Intervals, after: Intervals) -> Intervals:
    """Where ``after`` is in force and ``before`` is not."""
    return tuple(_without(after, before))


def hours_of(intervals: Intervals) -> int:
    """How long they last together, in whole hours; those without end are left out."""
    return sum(end - start for start, end in intervals if end is not None) // HOUR


def _without(intervals: Intervals, taken: Intervals) -> Iterator[tuple[Micros, Micros | None]]:
    position = 0
    for start, end in intervals:
        left = start
        while position < len(taken) and _end(taken[position][1]) <= left:
            position += 1
        at = position
        while at < len(taken) and taken[at][0] < _end(end):
            since, until = taken[at]
            if since > left:
                yield left, since
            left = max(left, _end(until))
            at += 1
        if left < _end(end):
            yield left, end


def _end(end: Micros | None) -> Micros:
    return FOR_EVER if end is None else end
