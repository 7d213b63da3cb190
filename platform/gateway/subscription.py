"""Where does a subscribed gateway's policy come from? From its console, or from its disk without one.

The acceptance machine decides what may serve (``subscriber.loop``); this turns what it accepted into
what the data plane enforces. Loading happens beside what serves, in a thread; the swap is one call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from coordination.bundle.candidates import Candidate
from coordination.bundle.keys import PublicKey
from coordination.bundle.overrides import FEATURES, trusted_by
from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused
from coordination.bundle.subscription import Frozen
from coordination.program.index import Program
from coordination.program.records import Ppm, ProgramRecords, Vector
from coordination.program.teams import TeamLimits
from gateway.activation import Active, Tested, release_of
from gateway.feed import Heard
from subscriber.identity import Identity
from subscriber.loop import Delivery


class Subscription:
    """One gateway's feed of policies."""

    def __init__(self, identity: Identity, folder: Path) -> None:
        """Raises ``RefusedError`` when the folder holds no root this gateway may trust."""
        self._prepared: tuple[ProgramRecords, Program] | None = None
        self._set_for_teams: tuple[Mapping[str, Ppm], TeamLimits] = ({}, {})
        self._sink: Callable[[Active], None] | None = None
        self._first: asyncio.Future[Active] = asyncio.get_running_loop().create_future()
        self._heard: Heard | None = None
        self._delivery = Delivery(identity, folder, self, features=FEATURES)

    async def first(self) -> Active:
        """Begin, and wait for something to serve: what the disk holds, or what the console sends."""
        await self._delivery.start()
        return await self._first

    def start(self, activate: Callable[[Active], None], heard: Heard) -> None:
        self._sink, self._heard = activate, heard
        self.heard(self._delivery.state.desired)

    def freeze(self, frozen: bool) -> None:
        if frozen is not self._delivery.state.frozen:
            self._delivery.feed(Frozen(frozen))

    @property
    def trusted(self) -> Mapping[str, PublicKey]:
        return trusted_by(self._delivery.state.root)

    async def stop(self) -> None:
        await self._delivery.stop()

    @property
    def refused(self) -> Refused | None:
        """Why the newest policy is not what is served; ``None`` if it is."""
        return self._delivery.state.error

    @property
    def stale(self) -> bool:
        """The pointer has run out with no word from the console. Serving goes on."""
        return self._delivery.state.is_stale

    async def post(self, what: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Tell the console ``what``; ``RefusedError`` unless it acknowledged."""
        await self._delivery.post(what, body, headers)

    # -- what delivery asks of a runtime -------------------------------------------------------

    def prepare(self, records: ProgramRecords, vectors: list[Vector]) -> list[str]:
        """In a thread: load, then put the policy's own tests to it."""
        tested = Tested()
        failures = tested(records, vectors)
        if not failures:
            # As far as is known now: what is left to do on the loop is what the next directory changes.
            tested.program.follow(*self._set_for_teams)
            self._prepared = (records, tested.program)
        return failures

    def heard(self, pointer: Pointer | None) -> None:
        """On the loop: the newest verified pointer. Its overrides do not wait for its bundle."""
        if pointer is not None and self._heard is not None:
            self._heard(pointer.overrides, pointer.order)

    def activate(self, candidate: Candidate) -> None:
        """On the loop: one assignment further down. A new directory alone keeps the program."""
        records = candidate.bundle.records
        if self._prepared is None or self._prepared[0] is not records:
            raise RuntimeError("a bundle was activated that was never prepared")
        self._set_for_teams = candidate.directory.shares, candidate.directory.limits
        active = Active(
            digest=candidate.bundle.digest,
            environment=records.environment,
            program=self._prepared[1],
            directory=candidate.directory,
            stale=self.stale,
            pointer=release_of(self._delivery.state.attempted),
        )
        if not self._first.done():
            self._first.set_result(active)
        elif self._sink is not None:
            self._sink(active)
