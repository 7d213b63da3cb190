"""Real time: tokens come at the model's pace, whatever the timers do."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest

from coordination.capacity import PROFILES, decode_run, prefill_floor
from simfleet.engine import Engine, Outcome, Work
from simfleet.fleet import running
from simfleet.meters import Meters
from simfleet.pacing import CATCH_UP, EngineLoop

PROFILE = PROFILES["llama-3-8b-h100-tp1"]


class LateTimers:
    """A clock and timers under control: each timer fires ``late`` seconds after it should."""

    def __init__(self, late: Callable[[int], float]) -> None:
        self.now = 100.0
        self._late = late
        self._fired = 0
        self._heap: list[tuple[float, int, asyncio.TimerHandle, Callable[[], None]]] = []

    def call_later(self, delay: float, callback: Callable[..., None], *args: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.now + delay, callback, args, asyncio.get_running_loop())
        heapq.heappush(self._heap, (self.now + delay, len(self._heap), handle, lambda: callback(*args)))
        return handle

    def run(self) -> None:
        while self._heap:
            at, _, handle, fire = heapq.heappop(self._heap)
            if not handle.cancelled():
                self.now = max(self.now, at) + self._late(self._fired)
                self._fired += 1
                fire()


def history(late: Callable[[int], float], output: int = 200) -> list[float]:
    """Instants at which one request's tokens appear, from submission on, timers being late."""
    timers = LateTimers(late)
    seen: list[float] = []

    def deliver(outcome: Outcome) -> None:
        seen.extend(timers.now - 100.0 for _ in outcome.emitted)

    loop = EngineLoop(
        Engine(PROFILE),
        Meters("m", max_model_len=1000),
        deliver,
        clock=lambda: timers.now,
        call_later=timers.call_later,
    )
    loop.submit(Work(prompt_tokens=100, output_tokens=output))
    timers.run()
    assert len(seen) == output
    return seen


def model_instants(output: int = 200) -> list[float]:
    first = prefill_floor(PROFILE, 100)
    return [first + decode_run(PROFILE, steps=i, decodes=1, decode_context=100) for i in range(output)]


async def test_with_punctual_timers_every_token_comes_when_the_model_says_to_a_millisecond():
    for seen, expected in zip(history(lambda _: 0.0), model_instants(), strict=True):
        assert expected - 5.1e-4 <= seen <= expected + 1.1e-3


async def test_a_late_timer_delays_its_own_token_and_not_those_after():
    seen = history(lambda fired: 0.05 if fired % 20 == 7 else 0.0)
    on_time = [at - expected for at, expected in zip(seen, model_instants(), strict=True)]
    assert max(on_time) == pytest.approx(0.05, abs=2e-3)
    assert on_time[-1] < 2e-3, "caught up in the end"


async def test_a_machine_that_slept_does_not_burst_through_the_lost_time():
    seen = history(lambda fired: 60.0 if fired == 100 else 0.0)
    gaps = [after - before for before, after in pairwise(seen)]
    assert max(gaps) > 60 - 1
    after = gaps[gaps.index(max(gaps)) + 1 :]
    assert sum(gap < 1e-3 for gap in after) * 0.006 <= CATCH_UP
    assert sum(after) / len(after) == pytest.approx(0.006, rel=0.1)


EDGE = 12
"""Tokens left out at both ends of a stream: its batch is not yet, or no longer, complete."""


async def itl(http: httpx.AsyncClient, url: str, body: dict[str, Any]) -> float:
    """Mean gap between a stream's tokens, as its client sees it."""
    times = []
    async with http.stream("POST", f"{url}/v1/chat/completions", json=body) as answer:
        async for line in answer.aiter_lines():
            if '"content":"' in line and '"role"' not in line:
                times.append(time.perf_counter())
    times = times[EDGE:-EDGE]
    return (times[-1] - times[0]) / (len(times) - 1)


@pytest.mark.slow
async def test_measured_itl_at_batch_1_and_32_stands_in_the_models_ratio(chat):
    """The promise of the fleet: within 10 %, at a context where the model's ratio is about 2.5."""
    tokens, words = 100, 4000
    context, steps = words + 4 + EDGE, tokens - 2 * EDGE - 1
    many = decode_run(PROFILE, steps=steps, decodes=32, decode_context=32 * context)
    model = many / decode_run(PROFILE, steps=steps, decodes=1, decode_context=context)
    bodies = [chat(tokens=tokens, words=words, stream=True, seed=seed) for seed in range(33)]
    limits = httpx.Limits(max_connections=64)
    async with running() as fleet, httpx.AsyncClient(timeout=60, limits=limits) as http:
        url = fleet.urls[0]
        short = chat(tokens=1, words=words)  # opens the connections, puts the prompt into the cache
        await asyncio.gather(*(http.post(f"{url}/v1/chat/completions", json=short) for _ in range(32)))
        alone = await itl(http, url, bodies[32])
        together = await asyncio.gather(*(itl(http, url, body) for body in bodies[:32]))
    measured = sum(together) / 32 / alone
    assert model > 2
    assert measured == pytest.approx(model, rel=0.10), f"alone {alone * 1e3:.2f} ms"
