"""A gateway is killed (SIGKILL) with requests in flight: is what the next one tells what the replicas did?

What must hold, whatever the instant: each attempt that reached a replica is told of once; none is told of
that reached none, unless as nothing used; whoever had the whole answer is billed by the engine's count; of
an answer that was cut short no more is billed than the replica had said.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from dataclasses import dataclass

import pytest

from tests.gateway import upstream as up
from tests.gateway.console import Console
from tests.gateway.raw_client import RawClient, until
from tests.gateway.running import chat_body, chat_request, gateway
from tests.gateway.upstream import USAGE, replicas

pytestmark = pytest.mark.slow
PEOPLE = 16
WORDS = 3
"""Of an answer that ends."""
ENDLESS = PEOPLE // 2
"""So many answers go on for as long as they are listened to."""
SERVES = """
import asyncio, sys
from pathlib import Path
import uvloop
from tests.gateway.console import Console
from tests.gateway.running import gateway

async def main():
    console = Console()
    console.away = True
    async with gateway(Path(sys.argv[1]), sys.argv[2:], own=Path(sys.argv[1]) / "own", post=console) as gw:
        print(gw.data.port, flush=True)
        await asyncio.Event().wait()

uvloop.run(main())
"""


@dataclass
class Told:
    """What a replica said in answer to one request."""

    words: int = 0


class Book:
    """The replicas' own record, by request id: a list, as a request may be tried again."""

    def __init__(self) -> None:
        self.calls: dict[str, list[Told]] = {}
        self.endless = 0
        self.speaking = 0

    async def answer(self, call: up.Call) -> None:
        (line,) = [line for line in call.head.split("\r\n") if line.lower().startswith("x-request-id:")]
        told = Told()
        self.calls.setdefault(line.partition(": ")[2], []).append(told)
        endless = self.endless < ENDLESS and len(self.calls) % 4 == 0
        self.endless += endless
        self.speaking += 1
        try:
            await call.begin_stream()
            while endless or told.words < WORDS:
                told.words += 1  # before it is said: what was said is never more
                await call.chunk(up.event("word "))
                await asyncio.sleep(0.002)
            await call.chunk(up.USAGE_EVENT)
            await call.chunk(up.DONE)
            await call.end_stream()
        finally:
            self.speaking -= 1

    @property
    def open(self) -> int:
        return sum(told.words > WORDS for calls in self.calls.values() for told in calls)


class People:
    """Ask one request after the other until nobody answers any more."""

    def __init__(self) -> None:
        self.whole: set[str] = set()
        """Requests whose answer was read to its end."""

    async def ask(self, port: int) -> None:
        try:
            client = await RawClient.to(port)
            while True:
                await client.send(chat_request(chat_body(stream=True)))
                head = await client.head()
                said = b"".join([chunk async for chunk in client.chunks()])
                if said.endswith(up.DONE):
                    self.whole.add(head.headers["x-request-id"])
        except (OSError, asyncio.IncompleteReadError):
            pass


async def test_what_was_in_flight_at_a_kill_is_billed_once_and_as_the_replicas_know_it(tmp_path):
    book, people, console = Book(), People(), Console()
    async with replicas(2, script=book.answer) as (one, two):
        killed = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", SERVES, str(tmp_path), one.url, two.url),
            stdout=asyncio.subprocess.PIPE,
            env={"PYTHONPATH": "platform:."},
        )
        try:
            assert killed.stdout is not None
            port = int(await asyncio.wait_for(killed.stdout.readline(), 60))
            asking = [asyncio.ensure_future(people.ask(port)) for _ in range(PEOPLE)]
            await until(lambda: len(people.whole) > 3 * PEOPLE and book.open == ENDLESS)
        finally:
            killed.kill()
            await killed.wait()
        await asyncio.wait_for(asyncio.gather(*asking), 20)
        await until(lambda: not book.speaking)
        async with gateway(tmp_path, [one.url, two.url], own=tmp_path / "own", post=console):
            await until(lambda: {event.request_id for event in console.events} >= book.calls.keys())
    events = list({(e.request_id, e.attempt, e.kind): e for e in console.events}.values())
    attempts = Counter((event.request_id, event.attempt) for event in events)
    assert set(attempts.values()) == {1}, "each attempt is told of once"
    by_request = Counter(event.request_id for event in events)
    for event in events:
        if event.request_id not in book.calls:
            assert (event.uncached_input, event.cached_input, event.output) == (0, 0, 0)
    for request_id, calls in book.calls.items():
        assert by_request[request_id] >= len(calls), "nothing that was sent is lost"
    told = {event.request_id: event for event in events if event.attempt == 1}
    for request_id in people.whole:
        event = told[request_id]
        assert (event.kind, event.outcome, event.counted_by) == ("settled", "completed", "engine")
        assert event.uncached_input + event.cached_input == USAGE["prompt_tokens"]
        assert event.output == USAGE["completion_tokens"] == WORDS
    cut_short = [event for event in events if event.kind == "interrupted"]
    assert len(cut_short) >= ENDLESS
    for event in cut_short:
        assert event.output <= sum(one.words for one in book.calls.get(event.request_id, []))
