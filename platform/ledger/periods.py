"""When is usage too late, too early, and in which month is it charged?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Literal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
OLDEST = timedelta(days=35)
AHEAD = timedelta(minutes=5)
TRUSTED = timedelta(seconds=5)
"""Clocks that differ by less are taken for equal: a message on its way explains that much."""
GRACE = timedelta(hours=72)
"""How long after a month's end its statement stays open."""


def instant(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def micros(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def hour_of(at_us: int) -> datetime:
    return instant(at_us).replace(minute=0, second=0, microsecond=0)


def day_of(at_us: int) -> date:
    return instant(at_us).date()


def skew(sent_us: int, received_us: int) -> int:
    """Microseconds by which the sender's clock is ahead of ours; within ``TRUSTED`` it is taken for ours."""
    ahead = sent_us - received_us
    return ahead if abs(ahead) > TRUSTED // timedelta(microseconds=1) else 0


def out_of_bounds(occurred_us: int, received_us: int) -> Literal["too_old", "ahead"] | None:
    """Why an event that ended then cannot be taken now; None when it can."""
    late = received_us - occurred_us
    if late > OLDEST // timedelta(microseconds=1):
        return "too_old"
    if -late > AHEAD // timedelta(microseconds=1):
        return "ahead"
    return None


def statement_of(occurred_us: int, received_us: int) -> date:
    """First day of the month that is charged: the usage's own while open, else the one it came in.

    A closed month's total never changes: what comes after the grace stands in the present month, under
    the hours in which it was used.
    """
    own = first_of_month(day_of(occurred_us))
    present = instant(received_us)
    if present < closes(own):
        return own
    return first_of_month(present.date())


def closes(month: date) -> datetime:
    """The instant from which the month that begins at ``month`` takes no more."""
    following = (month + timedelta(days=31)).replace(day=1)
    return datetime(following.year, following.month, 1, tzinfo=UTC) + GRACE


def first_of_month(day: date) -> date:
    return day.replace(day=1)
