"""A console that takes what a gateway tells it, is away, or says no, as a test wishes."""

from __future__ import annotations

from coordination.bundle.refusals import Refused, RefusedError
from coordination.wire import decisions, usage
from subscriber.answers import Answered


class Console:
    """What ``feed.post`` is in a gateway that follows a console."""

    def __init__(self) -> None:
        self.away = False
        self.forgets_to_answer = False
        """It takes a batch, and its answer is lost."""
        self.malformed: set[str] = set()
        """Request ids of events it will not have."""
        self.events: list[usage.Event] = []
        self.told: list[decisions.Explained] = []
        self.left_out: dict[str, int] = {}
        self.batches: list[tuple[str, int]] = []
        """(boot, seq) of each batch taken."""

    async def __call__(self, what: str, body: bytes, headers: dict[str, str] | None = None, /) -> None:
        if self.away:
            raise RefusedError(Refused("fetch_failed", "ConnectError: away"))
        if what == "usage":
            batch = usage.decode(body)
            if self.malformed & {event.request_id for event in batch.events}:
                raise Answered(400, Refused("fetch_failed", "the console answered 400"))
            self.batches.append((batch.boot_id, batch.seq))
            self.events += batch.events
        elif what == "decisions":
            told = decisions.decode(body)
            if (told.boot_id, told.seq) not in self.batches:
                self.batches.append((told.boot_id, told.seq))
                self.told += told.decisions
                for code, count in told.left_out.items():
                    self.left_out[code] = self.left_out.get(code, 0) + count
        if self.forgets_to_answer:
            raise RefusedError(Refused("fetch_failed", "ReadTimeout: "))

    def of(self, request_id: str) -> list[usage.Event]:
        """The events of one request, by attempt."""
        found = {(e.attempt, e.kind): e for e in self.events if e.request_id == request_id}
        return [found[key] for key in sorted(found)]
