"""Something that a test needs to be there, and no type checker can know that it is."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def found(value: T | None) -> T:
    """``value``; the test fails here if there is none."""
    assert value is not None
    return value
