"""Which batches has the console not acknowledged yet? The newest half hour, in order.

What cannot be sent waits here and goes out later: nothing is lost by an outage shorter than that, and a
batch that was sent twice is known by its number. Beyond it the oldest go, and their numbers are missing.
"""

from __future__ import annotations

from collections import OrderedDict

MOST_BATCHES = 30 * 60
MOST_BYTES = 64 * 1024 * 1024
SHIPPED_BATCHES = 60
SHIPPED_BYTES = 1024 * 1024
"""Of one shipment, unless a single batch is more."""


class Outbox:
    """Encoded batches by their number."""

    def __init__(self, most: int = MOST_BATCHES, most_bytes: int = MOST_BYTES) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._batches: OrderedDict[int, bytes] = OrderedDict()
        self.size = 0
        """Bytes held."""
        self.given_up = 0
        """Batches that were never acknowledged and are gone."""

    def __len__(self) -> int:
        return len(self._batches)

    def put(self, seq: int, batch: bytes) -> None:
        self._batches[seq] = batch
        self.size += len(batch)
        while len(self._batches) > self._most or (self.size > self._most_bytes and len(self._batches) > 1):
            self._drop(next(iter(self._batches)))
            self.given_up += 1

    def next(self) -> dict[int, bytes]:
        """The oldest ones, as many as go into one shipment."""
        chosen: dict[int, bytes] = {}
        size = 0
        for seq, batch in self._batches.items():
            size += len(batch)
            if chosen and (len(chosen) == SHIPPED_BATCHES or size > SHIPPED_BYTES):
                break
            chosen[seq] = batch
        return chosen

    def done(self, seqs: dict[int, bytes]) -> None:
        """They were acknowledged, or refused for good."""
        for seq in seqs:
            self._drop(seq)

    def _drop(self, seq: int) -> None:
        batch = self._batches.pop(seq, None)
        if batch is not None:
            self.size -= len(batch)
