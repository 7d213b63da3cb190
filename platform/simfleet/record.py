"""What did this replica really serve? Its own book, kept apart from metrics, to reconcile ledgers with."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any, Literal

import msgspec

Outcome = Literal["completed", "aborted"]


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """One request that reached the engine. A request id may occur more than once: retries."""

    number: int
    """1, 2, 3 ... in order of ending."""
    request_id: str
    outcome: Outcome
    finish_reason: str | None
    prompt_tokens: int
    cached_tokens: int
    output_tokens: int
    """Produced by the engine."""
    delivered_tokens: int
    """Handed to the socket; less than produced when a reader is slow or gone."""
    computed_tokens: int
    """Prompt and output tokens whose keys and values the engine computed: its real work."""


class Totals(msgspec.Struct, kw_only=True):
    """Sums since the replica started; they never forget."""

    completed: int = 0
    aborted: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    delivered_tokens: int = 0
    computed_tokens: int = 0


class Record:
    """Totals for ever, single requests for the last ``keep``."""

    def __init__(self, keep: int = 100_000) -> None:
        self.totals = Totals()
        self._served: deque[Served] = deque(maxlen=keep)
        self._number = 0

    def add(
        self,
        *,
        request_id: str,
        outcome: Outcome,
        finish_reason: str | None,
        prompt_tokens: int,
        cached_tokens: int,
        output_tokens: int,
        delivered_tokens: int,
        computed_tokens: int,
    ) -> None:
        """Book one request that ended."""
        self._number += 1
        self._served.append(
            Served(
                number=self._number,
                request_id=request_id,
                outcome=outcome,
                finish_reason=finish_reason,
                prompt_tokens=prompt_tokens,
                cached_tokens=cached_tokens,
                output_tokens=output_tokens,
                delivered_tokens=delivered_tokens,
                computed_tokens=computed_tokens,
            )
        )
        totals = self.totals
        if outcome == "completed":
            totals.completed += 1
        else:
            totals.aborted += 1
        totals.prompt_tokens += prompt_tokens
        totals.cached_tokens += cached_tokens
        totals.output_tokens += output_tokens
        totals.delivered_tokens += delivered_tokens
        totals.computed_tokens += computed_tokens

    def after(self, number: int, limit: int) -> list[Served]:
        """At most ``limit`` requests that ended after the one with this number, oldest first."""
        first = self._number - len(self._served) + 1
        skip = max(0, number + 1 - first)
        return list(islice(self._served, skip, skip + limit))

    def page(self, number: int, limit: int) -> dict[str, Any]:
        """The answer of ``GET /admin/record``: totals, one page, and where the next one starts."""
        served = self.after(number, limit)
        last = served[-1].number if served else number
        return {
            "totals": self.totals,
            "oldest_kept": self._number - len(self._served) + 1,
            "next_after": last if last < self._number else None,
            "requests": served,
        }
