"""A gateway whose tier promises by class and by deadline: what each request says of it as it ends."""

from __future__ import annotations

import asyncio
import json

from msgspec.structs import replace

from coordination.program.records import LengthRecord, ObjectiveRecord
from tests.gateway.raw_client import Answer, RawClient, until
from tests.gateway.running import admin, chat_body, chat_request, explanation, gateway, post
from tests.gateway.upstream import DONE, USAGE, Call, event, replicas
from tests.gateway.workers.inside import crew

SHORT = LengthRecord(min=0, max=100)
LONG = LengthRecord(min=101, max=None)
FIRST, FIRST_LONG, GAP, NO_GAP, BY_DEADLINE = (
    ObjectiveRecord(metric="ttft", target=60_000_000, uncached_input=SHORT),
    ObjectiveRecord(metric="ttft", target=60_000_000, uncached_input=LONG),
    ObjectiveRecord(metric="itl", target=60_000_000, uncached_input=SHORT),
    ObjectiveRecord(metric="tpot", target=0, uncached_input=SHORT),
    ObjectiveRecord(metric="deadline", target=60_000_000, percentile=99_000_000),
)
OF_ALL = ObjectiveRecord(metric="ttft", target=60_000_000)
"""Read off the tier's sketch, and not counted."""
ANSWER = json.dumps({"id": "c", "object": "chat.completion", "choices": [], "usage": USAGE}).encode()


def promising(made):
    promises = (OF_ALL, FIRST, FIRST_LONG, GAP, NO_GAP, BY_DEADLINE)
    tiers = tuple(replace(one, objectives=promises) if one.name == "standard" else one for one in made.tiers)
    return replace(made, tiers=tiers)


def counts(process) -> dict[str, tuple[int, int]]:
    """Since the last look."""
    told: dict[str, tuple[int, int]] = {}
    for series in process.plane.metrics.meter.take():
        for key, (kept, given) in series.objectives.items():
            before = told.get(key, (0, 0))
            told[key] = (before[0] + kept, before[1] + given)
    return told


def said(prompt: int, cached: int) -> dict[str, object]:
    details = {"cached_tokens": cached}
    return {"prompt_tokens": prompt, "completion_tokens": 3, "prompt_tokens_details": details}


class Turns:
    """A replica that sends a word when the one before it was read, and then what it is told to say."""

    def __init__(self, replica, port: int) -> None:
        self.port = port
        self.usage: dict[str, object] | None = None
        self.read = asyncio.Event()
        replica.script = self.play

    async def play(self, call: Call) -> None:
        await call.begin_stream()
        for word in ("one ", "two ", "three"):
            await call.chunk(event(word))
            await self.read.wait()
            self.read.clear()
        if self.usage is not None:
            await call.chunk(event(choices=[], usage=self.usage))
        await call.chunk(DONE)
        await call.end_stream()

    async def ask(self, usage: dict[str, object] | None = None, **members: object) -> Answer:
        self.usage = usage
        client = await RawClient.to(self.port)
        await client.send(chat_request(chat_body(stream=True, **members)))
        answer = await client.head()
        async for chunk in client.chunks():
            if b"content" in chunk:
                self.read.set()
        client.close()
        return answer


LONG_TEXT = [{"role": "user", "content": "word " * 400}]
"""Hundreds of tokens by the gateway's own count."""


async def test_a_request_s_class_goes_by_what_its_engine_computed(tmp_path):
    async with replicas() as (replica,), gateway(tmp_path, [replica.url], change=promising) as process:
        turns = Turns(replica, process.data.port)
        for prompt, cached in ((1000, 900), (1000, 0), (101, 0), (100, 0)):
            assert (await turns.ask(said(prompt, cached))).status == 200
        told = counts(process)
    assert told[FIRST.key] == (2, 2)
    assert told[FIRST_LONG.key] == (2, 2)
    assert told[BY_DEADLINE.key] == (4, 4)
    assert told[GAP.key] == (4, 4), "two gaps of each of the short ones"
    assert told[NO_GAP.key] == (0, 4), "nothing comes in no time"
    assert OF_ALL.key not in told


async def test_without_a_word_of_the_engine_our_own_count_stands_which_is_charged(tmp_path):
    async with replicas() as (replica,), gateway(tmp_path, [replica.url], change=promising) as process:
        turns = Turns(replica, process.data.port)
        explained = await explanation(process, await turns.ask(messages=LONG_TEXT))
        charged = explained["charge"]["tokens"]["uncached_input"]
        await turns.ask()
        told = counts(process)
    assert charged > 100
    first, done = explained["objectives"]
    assert (first["uncached_input"], first["kept"], first["given"]) == ({"min": 101, "max": None}, 1, 1)
    assert (done["metric"], done["percentile"], done["kept"]) == ("deadline", 99, 1)
    assert told[FIRST_LONG.key] == told[FIRST.key] == (1, 1)


async def test_whose_client_left_counts_as_far_as_it_came(tmp_path):
    async with replicas() as (replica,), gateway(tmp_path, [replica.url], change=promising) as process:

        async def hang(call: Call) -> None:
            await call.begin_stream()
            await call.chunk(event("one"))
            await call.gone.wait()

        replica.script = hang
        client = await RawClient.to(process.data.port)
        await client.send(chat_request(chat_body(stream=True)))
        await client.head()
        client.close()
        await until(lambda: not process.plane.live)
        told = counts(process)
    assert told == {FIRST.key: (1, 1)}, "it had time until its deadline, and left"


async def test_deadlines_are_met_or_missed_by_request(tmp_path):
    async with replicas() as (replica,), gateway(tmp_path, [replica.url], change=promising) as process:

        async def slow(call: Call) -> None:
            await asyncio.sleep(0.01)
            await call.whole(ANSWER)

        async def refusing(call: Call) -> None:
            await call.whole(b"{}", status="400 Bad Request")

        async def failing(call: Call) -> None:
            await call.whole(b"{}", status="500 Broken")

        replica.script = slow
        assert (await post(process)).status == 200
        assert (await post(process, fields="x-headway-deadline-ms: 60000\r\n")).status == 200
        assert (await post(process, fields="x-headway-deadline-ms: 2\r\n")).status == 200
        assert counts(process) == {BY_DEADLINE.key: (2, 3)}, "its own counts, where it names one"
        replica.script = refusing
        assert (await post(process)).status == 400
        assert (await post(process, key="tight", service_tier="priority")).status != 200
        assert counts(process) == {}, "mistakes of callers, and tiers that promise nothing"
        replica.script = failing
        assert (await post(process)).status >= 500
        assert counts(process) == {BY_DEADLINE.key: (0, 1)}
        page = await admin(process, "/metrics")
    of = 'tier="standard",metric="deadline",target_seconds="60",uncached_input_tokens="",percentile="99"'
    assert f"headway_objective_given_total{{{of}}} 4" in page
    assert f"headway_objective_kept_total{{{of}}} 2" in page


async def test_the_page_names_a_class_with_its_unit(tmp_path):
    async with replicas() as (replica,), gateway(tmp_path, [replica.url], change=promising) as process:
        await post(process, stream=True)
        page = await admin(process, "/metrics")
    of = 'tier="standard",metric="ttft",target_seconds="60",uncached_input_tokens="0..100",percentile="95"'
    assert f"headway_objective_kept_total{{{of}}} 1" in page
    assert 'uncached_input_tokens="101.."' not in page


async def test_workers_tell_their_parent_of_gaps(tmp_path):
    async with replicas() as (one,), crew(tmp_path, [one.url], workers=1, change=promising) as (process, _):
        await Turns(one, process.front.port).ask(said(20, 0))
        await until(lambda: process.plane.metrics.objectives)
        told = {of.key: found for (_, of), found in process.plane.metrics.objectives.items()}
    assert told == {FIRST.key: (1, 1), GAP.key: (2, 2), NO_GAP.key: (0, 2), BY_DEADLINE.key: (1, 1)}
