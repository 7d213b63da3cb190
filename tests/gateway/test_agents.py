"""Are agents held to their budgets at the gateway, and told what is left?"""

from __future__ import annotations

import json

import pytest

from coordination.program.records import GuardsRecord, LoopGuardRecord
from gateway.agents import last_call
from tests.gateway.running import gateway, post
from tests.gateway.upstream import replicas

STEP = "x-headway-run-steps-remaining"
TOKENS = "x-headway-run-tokens-remaining"


def calling(*arguments: str) -> list[dict[str, object]]:
    """A conversation in which the agent made a call with each of these arguments, one after the other."""
    messages: list[dict[str, object]] = [{"role": "user", "content": "What is the weather?"}]
    for number, text in enumerate(arguments):
        function = {"name": "weather", "arguments": text}
        call = {"id": f"c{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"c{number}", "content": "rain"})
    return messages


def code(answer) -> str | None:
    return json.loads(answer.body)["error"]["code"] if answer.status >= 400 else None


async def test_a_run_is_told_what_is_left_and_refused_when_nothing_is(tmp_path):
    run = GuardsRecord(steps=2, tokens=100_000)
    async with replicas() as (one,), gateway(tmp_path, [one.url], run=run) as gw:
        first = await post(gw, fields="x-run-id: r1\r\n")
        second = await post(gw, fields="x-run-id: r1\r\nx-run-step: 2\r\n")
        third = await post(gw, fields="x-run-id: r1\r\n")
        other = await post(gw, fields="x-run-id: r2\r\n")
        none = await post(gw)
    assert (first.headers[STEP], second.headers[STEP]) == ("1", "0")
    assert int(second.headers[TOKENS]) < int(first.headers[TOKENS]) < 100_000
    assert (third.status, code(third), third.headers[STEP]) == (429, "run_budget_exceeded", "0")
    assert "retry-after" not in third.headers
    assert (other.status, none.status) == (200, 200)
    assert STEP not in none.headers


async def test_a_loop_is_stopped_by_its_call_though_the_context_grows(tmp_path):
    run = GuardsRecord(loop_guard=LoopGuardRecord(2, "refuse"))
    async with replicas() as (one,), gateway(tmp_path, [one.url], run=run) as gw:
        got = [
            code(await post(gw, messages=calling(*asked), fields="x-run-id: r\r\n"))
            for asked in (["Oslo"], ["Oslo", "Rome"], ["Oslo", "Rome", "Rome"], ["Oslo"] + ["Rome"] * 3)
        ]
    assert got == [None, None, None, "run_loop_suspected"]


@pytest.mark.parametrize("step", ["x-run-step: 3\r\n", "x-run-id: r\r\nx-run-step: two\r\n"])
async def test_a_step_that_is_no_step_of_a_run_is_refused(tmp_path, step):
    async with replicas() as (one,), gateway(tmp_path, [one.url], run=GuardsRecord(steps=9)) as gw:
        assert code(await post(gw, fields=step)) == "invalid_request"


async def test_a_policy_that_counts_no_runs_does_not_read_their_headers(tmp_path):
    async with replicas() as (one,), gateway(tmp_path, [one.url]) as gw:
        assert (await post(gw, fields="x-run-step: two\r\n")).status == 200


def test_the_last_call_is_its_name_and_arguments():
    same = last_call({"messages": calling("Oslo", "Rome")})
    assert same == last_call({"messages": calling("Rome")}) != last_call({"messages": calling("Oslo")})
    answered = [
        *calling("Rome"),
        {"role": "assistant", "content": "It rains."},
        {"role": "user", "content": "?"},
    ]
    assert last_call({"messages": answered}) == 0
    calls = [{"type": "function_call", "name": "weather", "arguments": "Rome", "call_id": "1"}]
    output = [{"type": "function_call_output", "call_id": "1", "output": "rain"}]
    assert last_call({"input": [{"role": "user", "content": "hi"}, *calls, *output]}) == same
    for odd in (
        {},
        {"messages": [1, {"role": "assistant", "tool_calls": [1, {"function": 2}]}]},
        {"input": "hi"},
    ):
        assert last_call(odd) == 0
