"""Where does a gateway's policy come from, first and later? Files somebody replaces, or a console."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from coordination.bundle.keys import PublicKey
from coordination.bundle.overrides import Override
from coordination.bundle.refusals import Refused
from gateway.activation import Active

Heard = Callable[[tuple[Override, ...], tuple[int, int]], None]


class Post(Protocol):
    """Tells the console ``what`` (usage, say). Raises ``RefusedError`` unless acknowledged."""

    def __call__(
        self, what: str, body: bytes, headers: dict[str, str] | None = None, /
    ) -> Awaitable[None]: ...


class Feed(Protocol):
    """Everything it hands over was wholly verified and self-tested before."""

    async def first(self) -> Active | Refused:
        """What to serve at the start, or why nothing may be served."""

    def start(self, activate: Callable[[Active], None], heard: Heard) -> None:
        """Call ``activate``, on the event loop, with everything that comes after the first; ``heard`` with
        the overrides and the order of each pointer that was verified, whether its bundle is served or not."""

    def freeze(self, frozen: bool) -> None:
        """Whether to keep the bundle that is served, whatever pointers say. A rollback is followed."""

    @property
    def trusted(self) -> Mapping[str, PublicKey]:
        """Whose signature on an override counts now."""

    async def stop(self) -> None: ...

    @property
    def post(self) -> Post | None:
        """How to tell the console something; ``None`` where none is followed."""

    @property
    def refused(self) -> Refused | None:
        """Why the newest policy is not what is served; ``None`` if it is."""

    @property
    def stale(self) -> bool:
        """What is served is past its time, with no newer word. Serving goes on."""
