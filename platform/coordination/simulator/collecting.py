"""How does a simulation keep the collector of cycles out of its way?

A simulation frees what it made by counting references; looking for cycles among what is live took half of
its time.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from typing import Final

THRESHOLDS: Final = (200_000, 50, 100)
"""Objects made and not freed before the youngest are looked at, and how many times before older ones are."""


@contextlib.contextmanager
def calm_collector() -> Iterator[None]:
    """While in it, what was live before is not looked at, and the rest seldom."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
