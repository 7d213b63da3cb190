"""What keeps a gateway's policy current? The acceptance machine, and hands for what it asks for.

Every decision is ``coordination.bundle.acceptance.step``'s. This loop fetches, verifies and tests off
the data path, persists, swaps, and tells the control plane. Nothing that fails here stops traffic.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any, Protocol

from coordination.bundle import root as roots
from coordination.bundle.acceptance import step, subscribe, verify_parts
from coordination.bundle.candidates import Candidate, Verify
from coordination.bundle.pointer import Pointer
from coordination.bundle.refusals import Refused, RefusedError, refuse
from coordination.bundle.root import open_root
from coordination.bundle.subscription import (
    Activate,
    Activated,
    BundleReceived,
    DirectoryReceived,
    Effect,
    Event,
    FetchBundle,
    FetchDirectory,
    FetchFailed,
    Persist,
    Persisted,
    PersistFailed,
    PointerReceived,
    RootReceived,
    SelfTest,
    SelfTested,
    Started,
    Subscriber,
    Ticked,
    Verified,
)
from coordination.program.records import ProgramRecords, Vector
from subscriber import folder as folders
from subscriber.beside import undisturbed
from subscriber.identity import Identity
from subscriber.reports import Reporter
from subscriber.transport import Transport

log = logging.getLogger(__name__)

FIRST_PAUSE, LAST_PAUSE = 0.5, 30.0
"""Seconds before a failed look at the pointer is repeated: doubled each time, with full jitter."""
PACE = 1.0
"""Seconds between looks that bring nothing: a console that is stopping, or a proxy, does not wait."""
TICK = 1.0


class Runtime(Protocol):
    """The gateway, as delivery sees it."""

    def prepare(self, records: ProgramRecords, vectors: list[Vector]) -> list[str]:
        """Load the program beside the one that serves, run its self-tests; one line for each failure.

        Called in a thread. Whatever can go wrong with a program goes wrong here.
        """

    def heard(self, pointer: Pointer | None) -> None:
        """A newer pointer was verified, whatever becomes of its bundle. Called on the event loop."""

    def activate(self, candidate: Candidate) -> None:
        """Serve ``candidate`` from now on. Called on the event loop; swaps one reference."""


def first_state(identity: Identity, folder: Path, *, features: frozenset[str]) -> Subscriber:
    """The machine before its first event, trusting the newest root this gateway has verified.

    Raises ``RefusedError`` when no root in ``folder`` can be trusted.
    """
    try:
        enrolled = (folder / roots.FILE).read_bytes()
    except OSError as error:
        raise refuse("missing_file", error.strerror or str(error), file=roots.FILE) from None
    newest, envelope = open_root(enrolled, pinned=identity.root), enrolled
    held = folders.read(folder).get(roots.FILE)
    if held is not None and held != enrolled:
        kept = open_root(held)
        if kept.version > newest.version:
            newest, envelope = kept, held
    return subscribe(
        newest, envelope, environment=identity.environment, ring=identity.ring, features=features
    )


class Delivery:
    """One gateway's subscription, from its state folder and its console."""

    def __init__(
        self, identity: Identity, folder: Path, runtime: Runtime, *, features: frozenset[str] = frozenset()
    ) -> None:
        self.state = first_state(identity, folder, features=features)
        self._folder = folder
        self._runtime = runtime
        self._transport = Transport(identity)
        self._reporter = Reporter(self._transport, features)
        self._working: set[asyncio.Task[None]] = set()
        self._disk = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._etag: str | None = None
        self._seen: bytes | None = None
        """The last pointer's envelope."""
        self._refused = False
        """Whether that pointer was."""

    async def start(self) -> None:
        """Serve what the state folder holds, if it still verifies; then keep it current."""
        files = await asyncio.to_thread(folders.read, self._folder)
        self.feed(Started(files, wall=_wall(), mono=_mono()))
        while self._working:
            await asyncio.wait(self._working)
        self._tasks = [
            asyncio.create_task(self._follow(), name="pointer"),
            asyncio.create_task(self._tick(), name="tick"),
            asyncio.create_task(self._reporter.run(), name="status"),
        ]

    async def stop(self) -> None:
        for task in (*self._tasks, *self._working):
            task.cancel()
        await asyncio.gather(*self._tasks, *self._working, return_exceptions=True)
        await self._transport.close()

    async def post(self, what: str, body: bytes, headers: dict[str, str] | None = None) -> None:
        """Tell the console ``what``; ``RefusedError`` (``fetch_failed``) unless it acknowledged."""
        await self._transport.post(what, body, headers)

    def feed(self, event: Event) -> None:
        """One step of the machine; what it asks for is begun at once."""
        before = self.state.desired
        self.state, effects = step(self.state, event)
        for effect in effects:
            self._begin(self._perform(effect))
        if self.state.desired is not before:
            self._runtime.heard(self.state.desired)
        self._reporter.note(self.state)

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            log.error("delivery.step_failed", exc_info=bug)

    async def _follow(self) -> None:
        pause = FIRST_PAUSE
        while True:
            began = _mono()
            try:
                news = await self._look()
            except RefusedError as error:
                trouble = error.refused
            except Exception as bug:
                # Whatever a console may answer, the next answer is listened to.
                log.exception("delivery.look_failed")
                trouble = Refused("fetch_failed", f"{type(bug).__name__}: {bug}")
            else:
                pause = FIRST_PAUSE
                self._reporter.contact()
                if not news:
                    await asyncio.sleep(max(0.0, PACE - (_mono() - began) / 1e6))
                continue
            self._reporter.contact_lost(trouble)
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter, not a secret
            pause = min(pause * 2, LAST_PAUSE)

    async def _look(self) -> bool:
        """Wait for a pointer that is not the last one, and follow it; whether there was one."""
        fetched = await self._transport.pointer(self._etag)
        if fetched is None:
            if self._refused:
                self._etag = self._seen = None  # what was refused may have been for want of a newer root
            return False
        # By its bytes, not by the tag it came with: that is not signed.
        news = fetched.envelope != self._seen
        self._etag, self._seen = fetched.etag, fetched.envelope
        if news:
            await self._renew_root()
            before = self.state
            self.feed(PointerReceived(fetched.envelope, wall=_wall(), mono=_mono()))
            self._refused = self.state.desired is before.desired and self.state.error is not before.error
        return news

    async def _renew_root(self) -> None:
        """Follow the chain of roots to its end; a pointer may be signed by a key of the newest."""
        try:
            while (envelope := await self._transport.root(self.state.root.version + 1)) is not None:
                before = self.state.root.version
                self.feed(RootReceived(envelope))
                if self.state.root.version == before:
                    return
        except RefusedError as error:
            self._reporter.contact_lost(error.refused)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self.feed(Ticked(_mono()))

    async def _perform(self, effect: Effect) -> None:
        with self._reporter.timed(effect):
            event = await self._answer(effect)
        self.feed(event)

    async def _answer(self, effect: Effect) -> Event:
        match effect:
            case FetchBundle(number, digest):
                return await self._fetch(number, lambda: self._fetch_bundle(number, digest))
            case FetchDirectory(number, digest):
                return await self._fetch(number, lambda: self._fetch_directory(number, digest))
            case Verify():
                return Verified(effect.number, await asyncio.to_thread(undisturbed, verify_parts, effect))
            case SelfTest(number, records, vectors):
                return SelfTested(
                    number, await asyncio.to_thread(undisturbed, self._prepare, records, vectors)
                )
            case Persist(number, files, digests):
                return await self._persist(number, files, digests)
            case Activate(number, candidate):
                self._runtime.activate(candidate)
                log.info("delivery.activated %s", candidate.bundle.digest)
                return Activated(number)

    def _prepare(self, records: ProgramRecords, vectors: list[Vector]) -> list[str]:
        """In a thread. A program the runtime cannot even load has failed its test."""
        try:
            return self._runtime.prepare(records, vectors)
        except Exception as bug:
            log.exception("delivery.prepare_failed")
            return [f"{type(bug).__name__}: {bug}"]

    async def _fetch(self, number: int, fetch: Callable[[], Coroutine[Any, Any, Event]]) -> Event:
        try:
            return await fetch()
        except RefusedError as error:
            return FetchFailed(number, error.refused.message)

    async def _fetch_bundle(self, number: int, digest: str) -> Event:
        tar, envelope = await asyncio.gather(
            self._transport.bundle(digest), self._transport.bundle_envelope(digest)
        )
        return BundleReceived(number, tar, envelope)

    async def _fetch_directory(self, number: int, digest: str) -> Event:
        return DirectoryReceived(number, await self._transport.directory(digest))

    async def _persist(self, number: int, files: Mapping[str, bytes], digests: Mapping[str, str]) -> Event:
        # One at a time, in the order asked for: a later state carries files over from the one before.
        async with self._disk:
            label = f"{time.time_ns():020d}"
            refused = await asyncio.to_thread(folders.write, self._folder, files, label=label)
        return Persisted(number, digests) if refused is None else PersistFailed(number, refused.message)


def _wall() -> int:
    return time.time_ns() // 1000


def _mono() -> int:
    return time.monotonic_ns() // 1000
