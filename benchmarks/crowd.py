"""Clients as they are: some stream, some do not, some leave early, all of them at a bounded pace."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping

import httpx

TEXT = "Tell me of the sea, the ships and the long way home. " * 30
PATIENCE = 60.0


class Crowd:
    """``requests`` chat completions at a gateway, ``at_once`` at a time."""

    def __init__(self, port: int, secret: str, *, requests: int, at_once: int) -> None:
        self._url = f"http://127.0.0.1:{port}/v1/chat/completions"
        self._headers = {"authorization": f"Bearer {secret}"}
        self._requests = requests
        self._at_once = at_once
        self.answers: Counter[int | str] = Counter()
        """Status codes of whole answers; ``left``; the name of the exception where there was none."""
        self.begun = 0

    async def run(self, steps: Mapping[int, Callable[[], object]]) -> None:
        """``steps``: number of a request -> what is done before it is sent, in a thread."""
        gate = asyncio.Semaphore(self._at_once)
        asked: set[asyncio.Task[None]] = set()
        limits = httpx.Limits(max_connections=self._at_once)
        async with httpx.AsyncClient(timeout=PATIENCE, trust_env=False, limits=limits) as client:
            for number in range(self._requests):
                if number in steps:
                    await asyncio.to_thread(steps[number])
                await gate.acquire()
                self.begun += 1
                task = asyncio.create_task(self._ask(client, number))
                asked.add(task)
                task.add_done_callback(asked.discard)
                task.add_done_callback(lambda _: gate.release())
            await asyncio.gather(*asked)

    async def _ask(self, client: httpx.AsyncClient, number: int) -> None:
        leaves = number % 10 == 4
        body = {
            "model": "llama-3-8b",
            "messages": [{"role": "user", "content": TEXT * (1 + number % 4) + str(number % 7)}],
            "max_tokens": 400 if number % 25 == 0 else 20,
            "stream": leaves or number % 3 != 0,
            "service_tier": "priority" if number % 5 == 0 else "default",
        }
        try:
            async with client.stream("POST", self._url, headers=self._headers, json=body) as answer:
                read = 0
                async for _ in answer.aiter_bytes():
                    read += 1
                    if leaves and read == 3:
                        self.answers["left"] += 1
                        return
                self.answers[answer.status_code] += 1
        except httpx.HTTPError as error:
            self.answers[type(error).__name__] += 1
