"""Which requests does the console hear about one by one? Every refusal and failure, the slow, a sample."""

from __future__ import annotations

import json

import pytest

from gateway import telling
from gateway.clock import PolicyClock
from gateway.errors import Problem
from gateway.explanations import Explanation
from gateway.telling import Telling
from tests.gateway import upstream as up
from tests.gateway.console import Console
from tests.gateway.raw_client import until
from tests.gateway.running import gateway, post
from tests.gateway.upstream import replicas

SECRET_WORDS = "the launch code is swordfish"


@pytest.fixture
def console():
    return Console()


def documents(console):
    return {told.request_id: json.loads(bytes(told.document)) for told in console.told}


async def test_a_refusal_is_told_with_its_reason_and_numbers_and_without_a_word_of_the_prompt(
    tmp_path, console
):
    message = [{"role": "user", "content": SECRET_WORDS}]
    async with replicas() as (one,), gateway(tmp_path, [one.url], post=console) as gw:
        await post(gw, key="tight", messages=message)
        refused = await post(gw, key="tight", messages=message)
        unknown = await post(gw, model="nope", messages=message)
        await until(lambda: len(console.told) == 3)
    told = {one.request_id: one for one in console.told}
    limited = told[refused.headers["x-request-id"]]
    assert (limited.reason, limited.code, limited.tenant) == ("refused", "rate_limit_exceeded", "tight")
    assert (limited.tier, limited.model) == ("standard", "llama-3-8b")
    document = documents(console)[limited.request_id]
    assert document["decision"]["verdict"] == "refuse"
    assert any(step["rule"] == "R9" for step in document["decision"]["steps"])
    mistaken = told[unknown.headers["x-request-id"]]
    assert (mistaken.reason, mistaken.code, mistaken.tier) == ("refused", "model_not_found", "")
    assert "swordfish" not in "".join(bytes(one.document).decode() for one in console.told)


async def test_one_of_what_goes_well_is_told_with_candidates_charge_and_times(tmp_path, console):
    async with replicas(2) as (one, other), gateway(tmp_path, [one.url, other.url], post=console) as gw:
        got = await post(gw, stream=True)
        await until(lambda: console.told)
    (told,) = console.told
    assert (told.reason, told.code) == ("sampled", None)
    document = documents(console)[got.headers["x-request-id"]]
    (attempt,) = document["attempts"]
    assert [c["replica"] for c in attempt["candidates"] if c["chosen"]] == [attempt["replica"]]
    assert document["charge"]["tokens"] == {
        "uncached_input": 7,
        "cached_input": 4,
        "cache_write": 0,
        "output": 3,
        "reasoning": 0,
    }
    assert document["timings_us"]["first_byte"] > 0
    assert document["bundle"] == got.headers["x-headway-bundle"]


async def test_a_failure_is_told(tmp_path, console):
    async def half(call):
        await call.begin_stream()
        await call.chunk(up.event("one "))
        call.die()

    async def die(call):
        call.die()

    async with replicas() as (one,), gateway(tmp_path, [one.url], post=console, attempts=0) as gw:
        one.script = half
        await post(gw, stream=True)
        one.script = die
        assert (await post(gw)).status == 502
        await until(lambda: len(console.told) == 2)
    assert {(told.reason, told.code) for told in console.told} == {("failed", "upstream_failed")}


async def test_who_could_not_be_identified_is_nobodys_refusal(tmp_path, console):
    async with replicas() as (one,), gateway(tmp_path, [one.url], post=console) as gw:
        assert (await post(gw, key=None)).status == 401
        await post(gw)
        await until(lambda: console.told)
    assert [told.reason for told in console.told] == ["sampled"]


async def test_what_could_not_be_told_is_told_later_and_once(tmp_path, console):
    console.away = True
    async with replicas() as (one,), gateway(tmp_path, [one.url], post=console) as gw:
        asked = [(await post(gw)).headers["x-request-id"] for _ in range(3)]
        await until(lambda: gw.telling._unsent)
        console.away, console.forgets_to_answer = False, True
        await until(lambda: console.told)
        console.forgets_to_answer = False
        await until(lambda: gw.telling._unsent is None)
    assert sorted(told.request_id for told in console.told) == sorted(asked)


def over(number, **more):
    """A request that is over, in second ``number``."""
    facts = {"tenant": "acme", "outcome": "completed", "placed": 1, "first_byte": 1, "stream": True}
    at = {"arrived": 0, "finished": number * 1_000_000}
    made = Explanation(f"req_{number:026d}", 0)
    for name, value in {**at, **facts, **more}.items():
        setattr(made, name, value)
    return made


async def test_a_flood_is_counted_where_it_cannot_be_explained(monkeypatch, console):
    monkeypatch.setattr(telling, "MOST_WAITING", 10)
    teller = Telling(PolicyClock(), console)
    for number in range(35):
        problem = Problem("capacity_exceeded" if number % 2 else "rate_limit_exceeded", "no")
        teller.note(over(number, outcome="refused", problem=problem))
    while await teller._tell_once():
        pass
    assert len(console.told) == 10
    assert console.left_out == {"capacity_exceeded": 12, "rate_limit_exceeded": 13}


async def test_a_sample_is_taken_each_second_and_the_slow_are_no_part_of_it(console):
    teller = Telling(PolicyClock(), console)
    for _ in range(100):
        teller.note(over(1))
    for _ in range(100):
        teller.note(over(2))
    for _ in range(30):
        teller.note(over(3, first_byte=2_500_000))
    for _ in range(5):
        teller.note(over(4, stream=False, placed=2_500_000))
    while await teller._tell_once():
        pass
    reasons = [told.reason for told in console.told]
    assert reasons.count("sampled") == 40
    assert reasons.count("slow") == 35
