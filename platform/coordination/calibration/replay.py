"""When would an engine with this step model have answered what a replica was really sent?

Continuous batching as ``coordination.simulator.replica`` models it (decodes first, then prefills in order of
arrival within the token budget, runs of decode steps in one jump), but of a recording: what each request
found in the prefix cache is known, so no cache is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from math import ceil, sqrt

from coordination.capacity import CHUNK_TOKENS, StepModel


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request on the replica that answered it. Instants in seconds of one clock."""

    sent: float
    uncached: int
    """Prompt tokens to compute, at least one."""
    cached: int
    output: int
    first: float | None
    """When its first token came; None where it was told only with the last."""
    ended: float


def replay(
    model: StepModel, attempts: Sequence[Attempt], *, sequences: int, kv_tokens: int
) -> list[tuple[float, float]]:
    """(first token, last token) of each, in order of ``attempts``, which is that of ``sent``."""
    times = [(0.0, 0.0)] * len(attempts)
    waiting: deque[int] = deque()
    prefilling: deque[list[int]] = deque()  # [attempt, tokens left, tokens before them]
    ends: list[tuple[int, int, float]] = []  # (decode step it ends with, attempt, first token)
    now, steps, context, held, coming = 0.0, 0, 0, 0, 0
    total = len(attempts)
    while True:
        while coming < total and attempts[coming].sent <= now:
            waiting.append(coming)
            coming += 1
        decoding = len(ends)
        budget = CHUNK_TOKENS - decoding
        attended = 0.0
        chunks: list[tuple[list[int], int]] = []
        for one in prefilling:
            if budget <= 0:
                break
            new = min(budget, one[1])
            chunks.append((one, new))
            budget -= new
            attended += new * (one[2] + new / 2)
        while waiting and budget > 0 and decoding + len(prefilling) < sequences:
            attempt = attempts[waiting[0]]
            needs = attempt.uncached + attempt.cached + attempt.output
            if held + needs > kv_tokens and held:
                break
            held += needs
            one = [waiting.popleft(), attempt.uncached, attempt.cached]
            prefilling.append(one)
            new = min(budget, one[1])
            chunks.append((one, new))
            budget -= new
            attended += new * (one[2] + new / 2)
        if chunks:
            now += model.seconds(CHUNK_TOKENS - budget, attended, decoding, context)
            steps += 1
            context += decoding
        elif decoding:
            run = ends[0][0] - steps
            first = model.seconds(decoding, 0.0, decoding, context)
            growth = model.kv * decoding
            if coming < total:
                run = _cut(run, first, growth, attempts[coming].sent - now)
            now += run * first + growth * (run * (run - 1) // 2)
            steps += run
            context += decoding * run
        elif coming < total:
            now = attempts[coming].sent
            continue
        else:
            return times
        while ends and ends[0][0] <= steps:
            _, number, started = heappop(ends)
            attempt = attempts[number]
            context -= attempt.uncached + attempt.cached + attempt.output - 1
            held -= attempt.uncached + attempt.cached + attempt.output
            times[number] = (started, now)
        for one, new in chunks:
            one[1] -= new
            one[2] += new
            if not one[1]:
                prefilling.remove(one)
                number = one[0]
                attempt = attempts[number]
                if attempt.output > 1:
                    heappush(ends, (steps + attempt.output - 1, number, now))
                    context += attempt.uncached + attempt.cached
                else:
                    held -= attempt.uncached + attempt.cached + 1
                    times[number] = (now, now)


def _cut(run: int, first: float, growth: float, until: float) -> int:
    """Steps of a run up to and with the one in progress after ``until`` seconds."""
    if run * first + growth * (run * (run - 1) // 2) <= until:
        return run
    if growth <= 0.0:
        return max(1, min(run, ceil(until / first)))
    half = first - growth / 2
    return max(1, min(run, ceil((sqrt(half * half + 2 * growth * max(0.0, until)) - half) / growth)))
