"""How is something large read in a thread, so that the loop beside it is held up least?

Loading a policy of ten thousand tenants makes a few hundred thousand objects. The collector would look at
them five times while they are made, for 10 to 40 ms each, and nothing else runs meanwhile (docs/adr/0098). So
it waits until they are made, and is told then that they stay.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")

_lock = threading.Lock()
_at_work = 0


def undisturbed(work: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Do ``work`` without the collector, which forgets about all there is when it begins again.

    What nobody refers to any more goes as ever, at once; only cycles that are garbage at that very instant
    stay for good. Where the collector is off already it stays off.
    """
    global _at_work
    with _lock:
        ours = bool(_at_work) or gc.isenabled()
        _at_work += ours
        if ours:
            gc.disable()
    if not ours:
        return work(*args, **kwargs)
    try:
        return work(*args, **kwargs)
    finally:
        with _lock:
            _at_work -= 1
            if not _at_work:
                gc.freeze()
                gc.enable()
