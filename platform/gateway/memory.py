"""What does a gateway know of its limits after a restart, or a kill? (R26)

Every few seconds, and at the end, what was used of limits by the hour, day and month is written beside the
journal, with the place the journal had reached. A start reads it, and counts what the journal has
recorded since: so a kill forgets nothing that the journal knows.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from coordination.scheduling import Remembered, Usage, Used
from coordination.scheduling.limits import MeterKey
from coordination.wire.usage import Event, decode_event
from gateway.clock import PolicyClock
from gateway.coordinator import Coordinator
from gateway.log import log
from gateway.wal import Journal
from gateway.wal.segments import Position

FILE = "limits.json"
PERIOD = 5.0
"""Seconds between two writings: how much of the journal a start counts again."""
FORGOTTEN_AFTER_US = 40 * 24 * 3600 * 1_000_000
"""A month that began longer ago than this is over everywhere."""


class Written(msgspec.Struct, array_like=True):
    """The file."""

    segment: int
    offset: int
    limits: list[Remembered]
    credited: dict[str, int] = {}
    """Credits that are in it, not to be given again, and when each was made."""


class Memory:
    """Writes down what was used of one gateway's limits, and reads it back."""

    def __init__(self, folder: Path, journal: Journal, coordinator: Coordinator, clock: PolicyClock) -> None:
        """Blocking: puts back what the last gateway knew."""
        self._path = folder / FILE
        self._journal = journal
        self._coordinator = coordinator
        self._clock = clock
        self._known: dict[MeterKey, Remembered] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="limits")
        self._task: asyncio.Task[None] | None = None
        self._failing = False
        self._put_back()

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="limits")

    async def stop(self) -> None:
        """The last writing, while the journal is still open."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.write()
        self._thread.shutdown(wait=False)

    async def write(self) -> None:
        """What is so at this instant, whole or not at all."""
        now = self._clock.now()
        position = self._journal.position
        fresh = self._coordinator.remember(now)
        for one in fresh:
            self._known[one.key] = one
        oldest = now - FORGOTTEN_AFTER_US
        self._known = {key: one for key, one in self._known.items() if one.since > oldest}
        credited = {one: made for one, made in self._coordinator.credited.items() if made > oldest}
        kept = Written(*position, list(self._known.values()), credited)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._save, kept)
        except OSError as error:
            if not self._failing:
                log("limits_not_written", message=f"{error.strerror or error} ({self._path})")
            self._failing = True
        else:
            self._failing = False
            self._journal.keep_from(position)

    # -- inside --------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            await self.write()
            await asyncio.sleep(PERIOD)

    def _save(self, kept: Written) -> None:
        fresh = self._path.with_name(f".{FILE}-new")
        fresh.write_bytes(msgspec.json.encode(kept))
        fresh.replace(self._path)

    def _put_back(self) -> None:
        written = Written(0, 0, [])
        try:
            written = msgspec.json.decode(self._path.read_bytes(), type=Written)
        except FileNotFoundError:
            pass
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            log("limits_not_read", message=f"{error} ({self._path})")
        position = Position(written.segment, written.offset)
        self._journal.keep_from(position)
        self._known = {one.key: one for one in written.limits}
        try:
            ended = [decode_event(payload) for payload in self._journal.ended_since(position)]
        except (OSError, msgspec.DecodeError) as error:
            log("limits_not_read", message=str(error))
            ended = []
        restored, counted = self._coordinator.rehydrate(
            written.limits, [_used(event) for event in ended if event.kind != "failed"], written.credited
        )
        if restored or counted:
            log("limits_restored", limits=restored, attempts=counted)


def _used(event: Event) -> Used:
    usage = Usage(event.uncached_input, event.cached_input, event.output, event.cache_write, event.reasoning)
    return Used(
        event.tenant,
        event.model,
        event.tier,
        event.reservation is not None,
        usage,
        event.spend_nano,
        event.started_at,
        event.ended_at,
    )
