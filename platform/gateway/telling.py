"""Which requests is the console told about one by one, and how? Refusals, failures, slow ones, a sample.

Only what is chosen is put into words, a few at a time, when its batch is made: no request waits for it.
What is too much to explain one by one is counted by code.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
from collections import Counter, deque
from dataclasses import dataclass
from typing import Protocol

import msgspec

from coordination.bundle.refusals import RefusedError
from coordination.wire import decisions
from coordination.wire.decisions import Explained, Reason
from gateway.clock import PolicyClock
from gateway.explanations import Explanation
from gateway.feed import Post
from gateway.log import log
from subscriber.answers import Answered

SLOW_US = 2_000_000
"""A first byte later than this after arrival is told of, whatever else there is to tell."""
SAMPLED = 20
"""A second, of what went well."""
MOST_WAITING = 5_000
"""Requests chosen and not yet told of; refusals beyond it are counted, not explained."""
BATCH = 250
"""Requests in one batch, a second: what a flood of refusals may cost is a few per cent of a core."""
BATCH_BYTES = 2 * 1024 * 1024
AT_A_TIME = 10
"""Put into words before other work gets its turn."""
PERIOD = 1.0
FIRST_PAUSE, LAST_PAUSE = 0.5, 15.0
LAST_WORDS = 0.5
"""Seconds a stopping gateway gives its last batch."""
OURS = frozenset(
    {"internal_error", "upstream_failed", "upstream_timeout", "accounting_unavailable", "gateway_stopping"}
)
"""Codes of what went wrong here; every other refusal is a decision of the policy or the caller's mistake."""


class Teller(Protocol):
    def note(self, explanation: Explanation) -> None:
        """The request is over."""


class NobodyToTell:
    """This gateway follows no console: its admin port explains."""

    def note(self, explanation: Explanation) -> None: ...


@dataclass(slots=True)
class _Batch:
    """In words, and the same words until it is acknowledged."""

    seq: int
    documents: list[bytes]
    left_out: dict[str, int]


class Telling:
    """Chooses, and tells the console."""

    def __init__(self, clock: PolicyClock, post: Post) -> None:
        self._clock = clock
        self._post = post
        self._boot_id = os.urandom(8).hex()
        self._seq = 0
        self._waiting: deque[tuple[Reason, Explanation]] = deque()
        self._left_out: Counter[str] = Counter()
        self._unsent: _Batch | None = None
        self._second = 0
        self._sampled = 0
        self._reachable = True
        self._task: asyncio.Task[None] | None = None

    # -- on the data path ----------------------------------------------------------------------

    def note(self, explanation: Explanation) -> None:
        reason = self._reason(explanation)
        if reason is None:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append((reason, explanation))
        elif reason == "refused" and explanation.problem is not None:
            self._left_out[explanation.problem.code] += 1

    def _reason(self, explanation: Explanation) -> Reason | None:
        if explanation.tenant is None:
            return None
        problem = explanation.problem
        if problem is not None:
            return "failed" if explanation.outcome != "refused" or problem.code in OURS else "refused"
        arrived = explanation.arrived
        begun = explanation.first_byte if explanation.stream else explanation.placed
        if (begun or explanation.finished) - arrived > SLOW_US:
            return "slow"
        second = explanation.finished // 1_000_000
        if second != self._second:
            self._second, self._sampled = second, 0
        self._sampled += 1
        return "sampled" if self._sampled <= SAMPLED else None

    # -- off it --------------------------------------------------------------------------------

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="decisions")

    async def stop(self) -> None:
        """Tell what is left, as far as the console listens; the rest ends with the process."""
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        try:
            async with asyncio.timeout(LAST_WORDS):
                while await self._tell_once():
                    pass
        except (TimeoutError, RefusedError):
            log("decisions_untold", count=len(self._waiting))

    async def _run(self) -> None:
        pause = FIRST_PAUSE
        while True:
            await asyncio.sleep(PERIOD)
            try:
                await self._tell_once()
            except RefusedError as error:
                if self._reachable:  # once for each outage, not once for each try
                    log("decisions_not_told", message=str(error))
                self._reachable = False
                await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - jitter, not a secret
                pause = min(pause * 2, LAST_PAUSE)
            else:
                self._reachable, pause = True, FIRST_PAUSE

    async def _tell_once(self) -> bool:
        """Tell one batch; whether there was anything to tell. Raises ``RefusedError``."""
        if self._unsent is None:
            self._unsent = await self._next()
        batch = self._unsent
        if batch is None:
            return False
        body = decisions.join(self._boot_id, batch.seq, self._clock.now(), batch.documents, batch.left_out)
        try:
            await self._post("decisions", body)
        except Answered as answered:
            if not answered.for_good:
                raise
            log("decisions_declined", count=len(batch.documents), message=str(answered))
        self._unsent = None
        return True

    async def _next(self) -> _Batch | None:
        documents: list[bytes] = []
        size = 0
        while self._waiting and len(documents) < BATCH and size < BATCH_BYTES:
            documents.append(in_words(*self._waiting.popleft()))
            size += len(documents[-1])
            if len(documents) % AT_A_TIME == 0:
                await asyncio.sleep(0)
        if not documents and not self._left_out:
            return None
        left_out, self._left_out = dict(self._left_out), Counter()
        self._seq += 1
        return _Batch(self._seq, documents, left_out)


def in_words(reason: Reason, explanation: Explanation) -> bytes:
    """One request, as the console is told of it."""
    decision = explanation.decision
    # Not orjson: the arms of a route (R4) reach 2**64, which it refuses.
    document = json.dumps(explanation.as_json(), separators=(",", ":")).encode()
    return decisions.encode_explained(
        Explained(
            request_id=explanation.request_id,
            reason=reason,
            at=explanation.finished,
            tenant=explanation.tenant or "",
            tier=decision.tier if decision is not None else explanation.tier_requested or "",
            model=decision.request.model if decision is not None else explanation.model or "",
            code=explanation.problem.code if explanation.problem is not None else None,
            document=msgspec.Raw(document),
        )
    )
