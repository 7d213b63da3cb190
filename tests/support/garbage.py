"""How long does a run look for garbage? Little: what is kept for all of it is looked at once.

A run keeps thousands of modules, classes and tests for as long as it lives. Python's collector would walk
over them again and again while they are made, which is more than half of that time, and then whenever the
tests have made some objects more: a tenth of the time of tests that ask the console.
"""

from __future__ import annotations

import gc
from collections.abc import Generator

import pytest

SELDOM = (50_000, 20, 50)
"""Objects before the youngest are looked at, and of how many looks one goes further: as in the gateway."""


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.set_threshold(*SELDOM)
        gc.enable()
