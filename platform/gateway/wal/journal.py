"""Is every attempt on record before a replica works for it, and until the ledger has it?

The event loop writes (``begin``, ``passed``, ``end``): one copy into room allocated before, so what was
written outlives a kill at once. ``tend`` makes it outlive a loss of power, at most 100 ms
later, and allocates; it, ``unsent`` and ``acknowledge`` block, and run in one thread off the loop.

What holds:
- An attempt is begun only if there is room for its end too: a full disk stops new records, never ends.
- An event is handed out for sending only once it is synced: what the ledger has, a restart knows.
- An attempt without a record (no room) is handed out from memory, and ends with the process.
- A segment goes once all before it are gone, every attempt begun in it has ended, and the ledger has
  acknowledged both its events and those ends; and nobody would count from it again (``keep_from``).
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from coordination.wire.usage import Event, encode_event
from gateway.log import log
from gateway.wal import recovery, segments
from gateway.wal.facts import Begun, Passed, encode, interrupted
from gateway.wal.records import BEGAN, ENDED, HEADER_BYTES, PASSED, RECORD_LIMIT, framed, scan
from gateway.wal.recovery import Attempt
from gateway.wal.segments import Position, Segment

SEGMENT_BYTES: Final = 4 * 1024 * 1024
LIMIT_BYTES: Final = 4 * 1024 * 1024 * 1024
"""All segments together: some three million attempts the ledger has not taken."""
MEMORY_EVENTS = 10_000
"""Events without a record that are kept for sending; beyond them the newest are lost, and counted."""
END_ROOM = 1024
"""What the end of an attempt needs beyond the bytes of its begin: names of fields, figures."""
NOMINAL = 2048
"""Bytes of one attempt's begin and end, when asked before they are known."""


class Unsent(NamedTuple):
    """Events to send, encoded, and what to acknowledge them by."""

    events: list[bytes]
    upto: Position
    of_memory: int
    """How many of them, the first ones, have no record."""


class Journal:
    """The log of one gateway, in one folder."""

    def __init__(
        self, folder: Path, *, segment_bytes: int = SEGMENT_BYTES, limit_bytes: int = LIMIT_BYTES
    ) -> None:
        """Blocking: reads what is there. Raises ``JournalInUse``, or ``OSError`` if it cannot be read."""
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._limit = max(2, limit_bytes // segment_bytes)
        self._lock = segments.lock(folder)
        self._sent = segments.read_sent(folder)
        left = recovery.look(folder, self._sent)
        self._segments: deque[Segment] = deque(left.segments)
        self._number = left.last_number
        # Written on where the last gateway stopped: the room its open attempts need for their ends is there.
        self._active = left.segments[-1] if left.segments else None
        self._spares: deque[Segment] = deque(left.empty)
        for segment in (*left.segments[-1:], *left.empty):
            segment.reopen()
        self._open: dict[Attempt, tuple[Segment, int]] = {}
        """Where each attempt in progress was begun, and the bytes set aside for its end."""
        self._owed: dict[Attempt, tuple[Segment, Event]] = {
            key: (segment, interrupted(begun, last)) for key, (segment, begun, last) in left.open.items()
        }
        self._memory: deque[bytes] = deque()
        self._reserved = 0
        self._recorded = left.unsent
        """Events on record, counted from the position acknowledged at the start."""
        self._acknowledged = 0
        self._needed_from: int | None = None
        """Segment from which on all are kept, whoever has acknowledged them; None: nobody needs them."""
        self._broken = False
        """The disk did not take what was written: nothing more is begun until it does."""
        self.trouble = ""
        """What the disk last said; there may be room all the same. Empty when all is well."""
        self.unrecorded = 0
        """Attempts since the start that were sent without a record."""
        self.lost = 0
        """Attempts since the start of which no event will reach the ledger while this process lives."""
        self.interrupted = len(self._owed)
        """Attempts found open at the start."""
        self.tend()
        self.settle_owed()

    # -- by the event loop ---------------------------------------------------------------------

    def has_room(self, beyond: int = 0) -> bool:
        """Whether one more attempt can be recorded, and ``beyond`` others before it."""
        return not self._broken and self._room() - self._reserved >= NOMINAL * (beyond + 1)

    def begin(self, begun: Begun) -> bool:
        """The attempt is about to be sent. ``False``: it is on no record (and was counted so)."""
        key = (begun.request_id, begun.attempt)
        if key in self._open:
            return True
        record = framed(BEGAN, encode(begun))
        reserve = len(record) + END_ROOM
        fits = not self._broken and self._fits(len(record) + reserve)
        active = self._write(record) if fits else None
        if active is None:
            self.unrecorded += 1
            return False
        active.open += 1
        self._open[key] = (active, reserve)
        self._reserved += reserve
        return True

    def passed(self, request_id: str, attempt: int, output: int, at: int) -> None:
        """Its first byte, or more output. Left out when room is short: it only sharpens a later loss."""
        if (request_id, attempt) not in self._open:
            return
        record = framed(PASSED, encode(Passed(request_id, attempt, output, at)))
        if self._fits(len(record)):
            self._write(record)

    def end(self, event: Event) -> None:
        """The attempt is over: exactly once for each that was sent."""
        payload = encode_event(event)
        key = (event.request_id, event.attempt)
        known = self._open.pop(key, None)
        if known is None:
            if len(self._memory) < MEMORY_EVENTS:
                self._memory.append(payload)
            else:
                self.lost += 1
            return
        segment, reserved = known
        self._reserved -= reserved
        if not self._write_end(segment, payload):
            # Its begin is on record and its end is not: a restart will tell of it, so nobody else may.
            self.lost += 1

    def settle_owed(self) -> None:
        """Close the attempts that the last gateway left open, as far as there is room."""
        for key, (segment, event) in list(self._owed.items()):
            payload = encode_event(event)
            if self._broken or not self._fits(len(payload) + HEADER_BYTES):
                return
            if not self._write_end(segment, payload):
                return
            del self._owed[key]

    @property
    def needs_tending(self) -> bool:
        """Whether ``tend`` has anything to do."""
        active = self._active
        return (
            self._broken
            or active is None
            or active.used > active.durable
            or bool(self.trouble or self._owed)
            or self._room() - self._reserved < self._segment_bytes
        )

    @property
    def unsent(self) -> int:
        """Events not yet acknowledged."""
        return self._recorded - self._acknowledged + len(self._memory) + len(self._owed)

    @property
    def position(self) -> Position:
        """Where the next record goes, at the earliest."""
        active = self._active
        return Position(self._number + 1, 0) if active is None else Position(active.number, active.used)

    def keep_from(self, position: Position) -> None:
        """Somebody would read again from here after a restart: keep the segments from there on."""
        self._needed_from = position.segment

    def ended_since(self, position: Position) -> Iterator[bytes]:
        """The events on record from ``position`` on, acknowledged or not, and those owed. Blocking; for the
        start, before anything is written. Raises ``OSError``."""
        for segment in self._segments:
            if segment.number >= position.segment:
                first = position.offset if segment.number == position.segment else 0
                for record in scan(segment.path.read_bytes()[first : segment.used]):
                    if record.kind == ENDED:
                        yield record.payload
        for _, event in self._owed.values():
            yield encode_event(event)

    # -- by one thread, off the loop -----------------------------------------------------------

    def tend(self) -> None:
        """Sync what was written, and have a segment's room in reserve. Never raises: see ``trouble``."""
        try:
            self._sync()
            self._broken = False
        except OSError as error:
            self._broken = True
            self._report(error)
            return
        try:
            while self._room() - self._reserved < self._segment_bytes and self._has_allowance():
                self._spares.append(self._make())
            if self._active is None and self._spares:
                self._adopt(self._spares.popleft())
        except OSError as error:
            self._report(error)
        else:
            self._report(None)

    def unsent_events(self, most: int, most_bytes: int) -> Unsent | None:
        """The oldest events not acknowledged; the same ones until they are. ``None``: there are none.

        Raises ``OSError`` if a segment cannot be read.
        """
        found = [self._memory[index] for index in range(min(most, len(self._memory)))]
        of_memory, size = len(found), sum(map(len, found))
        upto = self._sent
        for segment in list(self._segments):
            if segment.number < upto.segment:
                continue
            offset = upto.offset if segment.number == upto.segment else 0
            durable = segment.durable
            while offset < durable and len(found) < most and size < most_bytes:
                data = segment.read(offset, most_bytes + RECORD_LIMIT)
                last = 0
                for record in scan(data):
                    if len(found) >= most or size >= most_bytes:
                        break
                    last = record.end
                    if record.kind == ENDED:
                        found.append(record.payload)
                        size += len(record.payload)
                if not last:  # damage, to the end or to where another record may begin
                    last = len(data) - RECORD_LIMIT if offset + len(data) < durable else len(data)
                offset = offset + last if data else durable
                upto = Position(segment.number, offset)
            if len(found) >= most or size >= most_bytes:
                break
        if not found and upto == self._sent:
            return None
        return Unsent(found, upto, of_memory)

    def acknowledge(self, taken: Unsent) -> None:
        """The ledger has them: never hand them out again, and give back what room that frees."""
        for _ in range(taken.of_memory):
            self._memory.popleft()
        self._acknowledged += len(taken.events) - taken.of_memory
        if taken.upto == self._sent:
            return
        self._sent = taken.upto
        try:
            segments.write_sent(self._folder, taken.upto)
            self._remove_acknowledged()
        except OSError as error:
            # Harmless: what was acknowledged is sent again after a restart, and known for it.
            log("wal_not_trimmed", message=str(error))

    def close(self) -> None:
        """Blocking: the last sync. Everything on record stays for the next gateway."""
        try:
            self._sync()
        except OSError as error:
            self._report(error)
        for segment in self._segments:
            segment.close()
        for segment in self._spares:
            segment.close()
        os.close(self._lock)

    # -- inside --------------------------------------------------------------------------------

    def _room(self) -> int:
        """Bytes that records can still be written to, whatever their sizes."""
        free = self._active.free if self._active is not None else 0
        # A record goes into one segment whole: the end of each but the last may stay unused.
        return max(free, free + sum(spare.size - RECORD_LIMIT for spare in self._spares))

    def _fits(self, size: int) -> bool:
        """Whether so many bytes can be written beside what is set aside."""
        active, wanted = self._active, size + self._reserved
        if active is not None and active.size - active.used >= wanted:
            return True  # as nearly always: the spares need not be counted
        return self._room() >= wanted

    def _write(self, record: bytes) -> Segment | None:
        """Where it was written; ``None``: nowhere, there is no room."""
        active, size = self._active, len(record)
        if active is None or size > RECORD_LIMIT:
            return None
        if active.size - active.used < size:
            if not self._spares:
                return None
            active = self._spares.popleft()
            self._adopt(active)
        active.append(record)
        return active

    def _write_end(self, begun_in: Segment, payload: bytes) -> bool:
        active = self._write(framed(ENDED, payload))
        if active is None:
            return False
        begun_in.ended(active.number, active.used)
        self._recorded += 1
        return True

    def _adopt(self, segment: Segment) -> None:
        self._active = segment  # first: ``_sync`` closes what is listed and not active
        self._segments.append(segment)

    def _sync(self) -> None:
        for segment in list(self._segments):
            sealed = segment is not self._active  # asked first: what is sealed is written no more
            segment.sync()
            if sealed:
                segment.close()

    def _make(self) -> Segment:
        made = segments.make(self._folder, self._number + 1, self._segment_bytes)
        self._number += 1
        return made

    def _has_allowance(self) -> bool:
        """Within the limit of all segments together."""
        return len(self._segments) + len(self._spares) < self._limit

    def _remove_acknowledged(self) -> None:
        while self._segments:
            first = self._segments[0]
            if first is self._active or first.number >= self._sent.segment:
                return
            if self._needed_from is not None and first.number >= self._needed_from:
                return
            if first.open or first.closed_at > self._sent:
                return
            first.close()
            first.path.unlink(missing_ok=True)
            self._segments.popleft()

    def _report(self, error: OSError | None) -> None:
        said = f"{error.strerror or error} ({self._folder})" if error is not None else ""
        if said != self.trouble:
            self.trouble = said
            log("wal_failing" if said else "wal_well", message=said)
