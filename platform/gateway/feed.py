"""Where does a gateway's policy come from, first and later? Files somebody replaces, or a console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from coordination.bundle.refusals import Refused
from gateway.activation import Active


class Feed(Protocol):
    """Everything it hands over was wholly verified and self-tested before."""

    async def first(self) -> Active | Refused:
        """What to serve at the start, or why nothing may be served."""

    def start(self, activate: Callable[[Active], None]) -> None:
        """Call ``activate``, on the event loop, with everything that comes after the first."""

    async def stop(self) -> None: ...

    @property
    def refused(self) -> Refused | None:
        """Why the newest policy is not what is served; ``None`` if it is."""

    @property
    def stale(self) -> bool:
        """What is served is past its time, with no newer word. Serving goes on."""
