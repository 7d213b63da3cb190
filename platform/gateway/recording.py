"""What was asked of this gateway, to be simulated under another policy? A file a day, without a prompt.

Each request that was admitted or refused by policy is a line when it ends (``coordination.traces.recorded``):
who, when, which tier, how many tokens, and salted hashes of its prefixes. The salt is this process's own, so
prefixes are told apart within a boot and nothing of a prompt can be guessed from another's file. Recording
serves nobody: when it cannot write it stops, says so, and requests go on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final

from coordination.traces import BLOCK_TOKENS
from coordination.traces.recorded import Recorded, ids_of, line, opening
from gateway.clock import PolicyClock
from gateway.explanations import Explanation
from gateway.log import log
from gateway.telling import Teller

LONGEST_US: Final = 600_000_000
"""A request that took longer is left out: a reader holds as much as it may reach back."""
FLUSH_SECONDS: Final = 1.0
KEPT_DAYS: Final = 7
LARGEST_BYTES: Final = 1 << 30
"""Of a day; what comes after is left out."""
FIRST_GUESS: Final = 256
"""Output tokens of a refused request, while none of its tenant and model was answered."""
SUFFIX: Final = ".recording.jsonl"


class Recording:
    """A ``Teller`` that writes to a folder. ``OSError`` if it cannot be made."""

    def __init__(self, folder: Path, clock: PolicyClock, largest: int = LARGEST_BYTES) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._clock = clock
        self._largest = largest
        self._lines: list[bytes] = []
        self._usual: dict[tuple[str, str], int] = {}
        self._file: BinaryIO | None = None
        self._day = ""
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None
        self.written = 0
        self.left_out = 0
        """Requests that took too long or came after the day's file was full."""
        self.stopped: str | None = None
        """Why nothing is written any more."""

    def start(self) -> None:
        """Write what has come, and again every second until ``stop``."""
        self.flush()
        self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.start)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def note(self, explanation: Explanation) -> None:
        """The request is over. One that the policy never judged is no traffic of it."""
        decision = explanation.decision
        if decision is None or self.stopped is not None:
            return
        request, charge = decision.request, explanation.charge
        took = explanation.finished - explanation.arrived
        if not 0 <= took <= LONGEST_US:
            self.left_out += 1
            return
        usual = (request.tenant, request.model)
        prompt = request.prompt_tokens
        output = self._usual.get(usual, FIRST_GUESS)
        answered: dict[str, Any] = {}
        if charge is not None and explanation.outcome == "completed":
            used = charge.usage
            prompt = used.uncached_input + used.cached_input or prompt
            self._usual[usual] = max(1, (7 * output + used.output) // 8)
            output = used.output
            answered = _answered(explanation, min(used.cached_input, max(1, prompt)))
        self._lines.append(
            line(
                Recorded(
                    at=explanation.arrived,
                    ended=explanation.finished,
                    tenant=request.tenant,
                    model=explanation.model or request.model,
                    input_tokens=max(1, prompt),
                    output_tokens=max(1, output),
                    tier=explanation.tier_requested,
                    session=None if request.stickiness == request.request_id else request.stickiness,
                    max_tokens=request.max_tokens,
                    deadline=None if request.deadline is None else request.deadline - request.arrived,
                    code=None if explanation.problem is None else explanation.problem.code,
                    hash_ids=ids_of(request.blocks)[: prompt // BLOCK_TOKENS],
                    **answered,
                )
            )
        )

    def flush(self) -> None:
        """Everything noted is in the day's file; the day is the one it ended in, near enough."""
        lines, self._lines = self._lines, []
        if not lines or self.stopped is not None:
            return
        try:
            file = self._today()
            data = b"".join(lines)
            if self._size + len(data) > self._largest:
                self.left_out += len(lines)
                return
            file.write(data)
            file.flush()
            self._size += len(data)
            self.written += len(lines)
        except OSError as error:
            self.stopped = error.strerror or str(error)
            log("recording_stopped", folder=str(self._folder), message=self.stopped)

    def _today(self) -> BinaryIO:
        now = datetime.fromtimestamp(self._clock.now() / 1e6, UTC)
        day = now.strftime("%Y-%m-%d")
        if self._file is None or day != self._day:
            if self._file is not None:
                self._file.close()
            self._day = day
            self._file = _opened(self._folder / f"{day}{SUFFIX}")
            self._size = self._file.tell()
            _drop_before(self._folder, (now - timedelta(days=KEPT_DAYS)).strftime("%Y-%m-%d"))
        return self._file


class Together:
    """Several that are told of each request."""

    def __init__(self, tellers: Sequence[Teller]) -> None:
        self._tellers = tellers

    def note(self, explanation: Explanation) -> None:
        for teller in self._tellers:
            teller.note(explanation)


def _answered(explanation: Explanation, cached: int) -> dict[str, Any]:
    """What the replica's part in it took: what its speed can be told from."""
    dispatch = explanation.dispatches[-1]
    first = explanation.first_byte if explanation.stream else None
    return {"replica": dispatch.replica, "sent": dispatch.sent_at, "first": first, "cached": cached}


def _opened(path: Path) -> BinaryIO:
    """To be appended to. What a kill left of a last line is cut off: a reader would stop there."""
    file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
    size = file.seek(0, os.SEEK_END)
    if size:
        size = _whole_lines(file, size)
        file.truncate(size)
    file.seek(size)
    if not size:
        file.write(opening(LONGEST_US))
    return file


def _whole_lines(file: BinaryIO, size: int) -> int:
    """Bytes up to the last end of a line."""
    reach = 1 << 20  # no line is longer
    start = max(0, size - reach)
    file.seek(start)
    return start + file.read(reach).rfind(b"\n") + 1


def _drop_before(folder: Path, day: str) -> None:
    for old in folder.glob(f"*{SUFFIX}"):
        if old.name < day:
            old.unlink(missing_ok=True)
