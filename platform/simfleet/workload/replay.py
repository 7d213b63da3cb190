"""What happens when a recorded hour arrives at this gateway? Open loop: the trace sets the instants.

A request is sent at its instant whether or not earlier ones were answered, and first-token times count
from that instant, so a stalled server cannot hide its stall by slowing the generator down.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from coordination.traces import TraceError, TraceRequest, tenant_index
from simfleet.traces import prompt_text
from simfleet.workload.answers import Answer
from simfleet.workload.client import Client, ExchangeFailed, Target
from simfleet.workload.keys import TenantKey
from simfleet.workload.messages import completion_body
from simfleet.workload.summary import Summary

NOT_SERVED = "none"
NOT_SAID = "unknown"
PROGRESS_EVERY_S = 0.5
BODIES_AHEAD = 32
"""Requests made before their instant: some megabytes, and more than a burst of the public traces."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """How a trace is to be replayed."""

    target: Target
    tenants: tuple[TenantKey, ...]
    model: str
    speed: float = 1.0
    """Trace seconds per real second."""
    limit: int | None = None
    """Requests to send; ``None`` is the whole trace."""
    concurrency: int = 1024
    """Requests open at once. At this many the next one is sent late, and its lateness counts."""
    timeout_s: float = 300.0
    """Longest a request may take from its instant in the trace; afterwards it is lost."""
    exact_output: bool = True
    service_tier: str | None = None


class _Replay:
    def __init__(self, plan: ReplayPlan, client: Client) -> None:
        self._plan = plan
        self._client = client
        self._loop = asyncio.get_running_loop()
        self._slots = asyncio.Semaphore(plan.concurrency)
        self._open: set[asyncio.Task[None]] = set()
        self.summary = Summary()

    async def arrivals(self, requests: Iterator[TraceRequest]) -> None:
        """Sends each request at its instant; returns when all are answered, lost or timed out."""
        start = self._loop.time()
        upcoming = itertools.islice(requests, self._plan.limit)
        ahead: deque[tuple[TraceRequest, bytes, float]] = deque()
        more = True
        while more or ahead:
            # Bodies are made ahead of their instant, so that making one delays neither it nor a burst.
            while more and len(ahead) < BODIES_AHEAD and (not ahead or self._loop.time() < ahead[0][2]):
                more = self._make(upcoming, start, ahead)
                await asyncio.sleep(0)
            if ahead:
                request, body, due = ahead.popleft()
                await asyncio.sleep(due - self._loop.time())
                await self._slots.acquire()
                task = self._loop.create_task(self._one(request, body, due))
                self._open.add(task)
                task.add_done_callback(self._open.discard)
        while self._open:
            await asyncio.wait(self._open)

    def _make(
        self, upcoming: Iterator[TraceRequest], start: float, ahead: deque[tuple[TraceRequest, bytes, float]]
    ) -> bool:
        """Readies the next request; false when there is none."""
        try:
            request = next(upcoming, None)
        except TraceError as problem:
            self.summary.trace_error = str(problem)
            return False
        if request is None:
            return False
        ahead.append((request, self._body(request), start + request.arrival_us / 1e6 / self._plan.speed))
        return True

    async def abandon(self) -> None:
        """Closes what is still open; each of them counts as abandoned."""
        for task in self._open:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open)

    @property
    def open(self) -> int:
        return len(self._open)

    def _body(self, request: TraceRequest) -> bytes:
        return completion_body(
            self._plan.model,
            prompt_text(request),
            request.output_tokens,
            exact_output=self._plan.exact_output,
            service_tier=self._plan.service_tier,
        )

    async def _one(self, request: TraceRequest, body: bytes, due: float) -> None:
        tenant = self._plan.tenants[tenant_index(request, len(self._plan.tenants))]
        self.summary.send_lag_s.append(max(0.0, self._loop.time() - due))
        try:
            async with asyncio.timeout_at(due + self._plan.timeout_s):
                answer = await self._client.complete(body, tenant.api_key)
        except TimeoutError:
            self._lost(tenant.name, NOT_SERVED, f"no whole answer within {self._plan.timeout_s:g} s")
        except ExchangeFailed as problem:
            self._lost(tenant.name, NOT_SERVED, str(problem))
        except asyncio.CancelledError:
            for tally in self.summary.groups(tenant.name, NOT_SERVED):
                tally.requests += 1
                tally.abandoned += 1
            raise
        else:
            self._count(tenant.name, answer, due)
        finally:
            self._slots.release()

    def _count(self, tenant: str, answer: Answer, due: float) -> None:
        served = answer.status == 200
        tier = answer.headers.get("x-headway-tier-served", NOT_SAID) if served else NOT_SERVED
        if answer.fault is not None:
            self._lost(tenant, tier, f"status {answer.status}: {answer.fault}")
            return
        if not served and answer.code is None:
            self._lost(tenant, tier, f"status {answer.status} without a code")
            return
        for tally in self.summary.groups(tenant, tier):
            tally.requests += 1
            if not served:
                tally.refused[answer.code or ""] += 1
            elif answer.code is not None:
                tally.interrupted[answer.code] += 1
            else:
                first = answer.first_token_at
                tally.answered(answer, None if first is None else first - due)

    def _lost(self, tenant: str, tier: str, reason: str) -> None:
        self.summary.lost_because[reason] += 1
        for tally in self.summary.groups(tenant, tier):
            tally.requests += 1
            tally.lost += 1


async def replay(
    requests: Iterator[TraceRequest],
    plan: ReplayPlan,
    *,
    stop: asyncio.Event,
    progress: Callable[[Summary, int], None] | None = None,
) -> Summary:
    """Replays ``requests`` until answered, ``stop`` is set, or the last one's timeout has passed.

    ``progress`` is called twice a second with the summary so far and the number of open requests.
    A bad trace record ends the sending; what was sent is still waited for.
    """
    loop = asyncio.get_running_loop()
    async with Client(plan.target) as client:
        run = _Replay(plan, client)
        start = loop.time()
        sending = loop.create_task(run.arrivals(requests))
        stopping = loop.create_task(stop.wait())
        try:
            while not sending.done() and not stopping.done():
                await asyncio.wait(
                    (sending, stopping), timeout=PROGRESS_EVERY_S, return_when=asyncio.FIRST_COMPLETED
                )
                if progress is not None:
                    progress(run.summary, run.open)
            run.summary.stopped = not sending.done()
        finally:
            stopping.cancel()
            sending.cancel()
            await asyncio.wait((sending, stopping))
            await run.abandon()
        run.summary.elapsed_s = loop.time() - start
        if not sending.cancelled():
            sending.result()
        return run.summary
