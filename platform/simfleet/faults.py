"""Which faults can a replica be given, and what exactly does each do?

====== =====================================================================================
slow   every step takes ``factor`` times as long
stall  the engine stops: requests are accepted and never answered until the fault is lifted;
       ``/health`` and ``/metrics`` go on answering, as they do when a GPU hangs
error  completions are answered with ``status`` (``count`` of them, or all)
die    connections are reset and the listener closes: now, or once a request arrives
       (``after_chunks`` 0), or once any stream has sent that many content chunks
none   back to health; a dead replica listens again on its port
====== =====================================================================================
"""

from __future__ import annotations

from typing import Literal

import msgspec

FaultKind = Literal["none", "slow", "stall", "error", "die"]


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of ``POST /admin/faults``."""

    kind: FaultKind
    factor: float = 4.0
    status: int = 500
    count: int | None = None
    after_chunks: int | None = None
    replica: int | None = None
    """Another replica of the fleet by number: the only way to reach one that is dead."""

    def __post_init__(self) -> None:
        if not 0.01 <= self.factor <= 10_000:
            raise ValueError("factor lies between 0.01 and 10000")
        if not 400 <= self.status <= 599:
            raise ValueError("status lies between 400 and 599")
        if self.count is not None and self.count < 1:
            raise ValueError("count is at least 1")
        if self.after_chunks is not None and self.after_chunks < 0:
            raise ValueError("after_chunks is at least 0")


HEALTHY = Fault(kind="none")
