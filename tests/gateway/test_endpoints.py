"""Are completions, embeddings and responses held to the same policy, and passed through byte for byte?"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.scheduling.values import Usage
from gateway.endpoints.responses import ResponseEvents, read_response, response_prompt
from gateway.endpoints.table import ENDPOINTS
from gateway.endpoints.texts import completion_prompt, read_completion, read_embedding
from gateway.errors import Problem
from gateway.prompt import ModelRequest, chat_prompt
from tests.gateway import upstream as up
from tests.gateway.running import error_code, explanation, gateway, put
from tests.gateway.upstream import replicas

COUNTED = {"uncached_input": 7, "cached_input": 4, "cache_write": 0, "output": 3, "reasoning": 0}
TIER = b',"service_tier":"default"'


def text_event(text: str, **members: Any) -> bytes:
    body = {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": text}]}
    return b"data: " + json.dumps(body | members).encode() + b"\n\n"


async def test_a_streamed_completion_is_the_engines_but_for_the_tier_and_the_usage_we_asked_for(tmp_path):
    words = [text_event(word) for word in ("one ", "two ", "three")] + [text_event("")]

    async def script(call):
        assert call.body["stream_options"] == {"include_usage": True}
        await call.begin_stream()
        for event in (*words, text_event("", choices=[], usage=up.USAGE), up.DONE):
            await call.chunk(event)
        await call.end_stream()

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await put(gw, "/v1/completions", prompt="Say three words.", stream=True)
        assert got.body.replace(TIER, b"") == b"".join(words) + up.DONE
        assert one.calls[0].head.startswith("POST /v1/completions HTTP/1.1\r\n")
        assert (await explanation(gw, got))["charge"]["tokens"] == COUNTED


@pytest.mark.parametrize(
    ("path", "members"),
    [
        ("/v1/completions", {"prompt": ["Say three words.", [1, 2, 3]]}),
        ("/v1/embeddings", {"input": [5, 6, 7]}),
    ],
)
async def test_a_whole_answer_is_the_engines_but_for_the_tier(tmp_path, path, members):
    sent = json.dumps({"object": "list", "data": [{"embedding": [0.25, 1e-7]}], "usage": up.USAGE}, indent=1)

    async with (
        replicas(script=lambda call: call.whole(sent.encode())) as (one,),
        gateway(tmp_path, [one.url]) as gw,
    ):
        got = await put(gw, path, service_tier="auto", **members)
        assert got.body.replace(TIER, b"") == sent.encode()
        assert one.calls[0].body == {"model": "llama-3-8b"} | members
        told = await explanation(gw, got)
        assert told["charge"]["tokens"] == COUNTED
        assert told["decision"]["hold"]["output"] == (0 if path == "/v1/embeddings" else 1024)


def response_event(kind: str, **members: Any) -> bytes:
    data = json.dumps({"type": kind} | members, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


USAGE = {"input_tokens": 11, "output_tokens": 3, "input_tokens_details": {"cached_tokens": 4}}
CREATED = response_event("response.created", response={"id": "r", "service_tier": "auto", "usage": None})
DELTAS = [
    response_event("response.output_text.delta", delta=word)
    for word in ('one "response":{', '"service_tier":1', "x")
]
COMPLETED = response_event(
    "response.completed",
    response={"output": ["long " * 9000], "service_tier": "auto", "usage": USAGE},
    service_tier="not ours",
)
RESPONSE = b"".join((CREATED, *DELTAS, COMPLETED))
EDITED = RESPONSE.replace(b'"service_tier":"auto"', b'"service_tier":"flex"')


@given(st.lists(st.integers(0, len(RESPONSE)), max_size=8))
def test_of_a_response_only_the_tier_is_edited_wherever_the_bytes_were_cut(cuts):
    events = ResponseEvents("flex", strip_usage=True)
    out, start = b"", 0
    for cut in (*sorted(cuts), len(RESPONSE)):
        out += events.feed(RESPONSE[start:cut])
        start = cut
    assert out + events.close() == EDITED
    assert events.usage == Usage(uncached_input=7, cached_input=4, output=3)
    assert (events.tokens, events.done, events.held) == (3, True, 0)


@pytest.mark.parametrize(
    "event",
    [
        b": comment\n\n",
        b"data: [DONE]\n\n",
        b'data: {"response":1}\n\n',
        b'data: {"type":"x","response":null}\n\n',
        b'data: {"type":"x","response":{"usage":{"input_tokens":-1}}}\n\n',
        b'event: data: {"type":"x","response":{}}\n\n',
        b'data: {"type":"x",\ndata: "response":{}}\n\n',
        b'data: {"type":"x","response":{}\n\n',
    ],
)
def test_any_other_event_of_a_response_passes_as_it_is(event):
    assert ResponseEvents("flex", strip_usage=False).feed(event) == event


def test_a_response_without_a_tier_gets_one():
    events = ResponseEvents("flex", strip_usage=False)
    assert events.feed(b'data: {"type":"x","response":{"a":1} }\n\n') == (
        b'data: {"type":"x","response":{"a":1,"service_tier":"flex"} }\n\n'
    )


async def test_a_response_that_breaks_off_says_so_as_an_error_event(tmp_path):
    async def half(call):
        assert "stream_options" not in call.body
        await call.begin_stream()
        await call.chunk(CREATED + DELTAS[0])
        await asyncio.sleep(0.02)
        call.die()

    async with replicas(script=half) as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await put(gw, "/v1/responses", input="hi", stream=True)
        name, data = got.body.split(b"\n\n")[2].split(b"\n")
        told = json.loads(data.removeprefix(b"data: "))
        assert name == b"event: error"
        assert (told["type"], told["code"], told["sequence_number"]) == ("error", "upstream_failed", 2)
        assert told["error"]["code"] == "upstream_failed"
        assert (await explanation(gw, got))["charge"]["tokens"]["output"] == 1


async def test_a_whole_response_is_the_engines_but_for_the_tier(tmp_path):
    sent = json.dumps({"object": "response", "service_tier": "auto", "usage": USAGE}, indent=2).encode()

    async with replicas(script=lambda call: call.whole(sent)) as (one,), gateway(tmp_path, [one.url]) as gw:
        got = await put(gw, "/v1/responses", input=[{"role": "user", "content": "hi"}])
        assert got.body == sent.replace(b'"auto"', b'"default"')
        assert (await explanation(gw, got))["charge"]["tokens"] == COUNTED


@pytest.mark.parametrize(
    ("path", "members", "param"),
    [
        ("/v1/completions", {}, "prompt"),
        ("/v1/completions", {"prompt": ""}, "prompt"),
        ("/v1/completions", {"prompt": []}, "prompt"),
        ("/v1/completions", {"prompt": ["a", 1]}, "prompt"),
        ("/v1/completions", {"prompt": [1.5]}, "prompt"),
        ("/v1/completions", {"prompt": [-1]}, "prompt"),
        ("/v1/completions", {"prompt": ["a"] * 2049}, "prompt"),
        ("/v1/completions", {"prompt": "a", "max_tokens": 0}, "max_tokens"),
        ("/v1/embeddings", {"input": {"a": 1}}, "input"),
        ("/v1/embeddings", {"input": [[True]]}, "input"),
        ("/v1/embeddings", {"input": "a", "stream": True}, "stream"),
        ("/v1/responses", {"input": ""}, "input"),
        ("/v1/responses", {"input": ["a"]}, "input"),
        ("/v1/responses", {"input": "a", "instructions": 1}, "instructions"),
        ("/v1/responses", {"input": "a", "background": True}, "background"),
        ("/v1/responses", {"input": "a", "previous_response_id": 1}, "previous_response_id"),
        ("/v1/responses", {"input": "a", "max_output_tokens": 0}, "max_output_tokens"),
    ],
)
def test_a_member_that_makes_no_sense_is_named(path, members, param):
    problem = ENDPOINTS[path.encode()].read(json.dumps({"model": "m"} | members).encode())
    assert isinstance(problem, Problem)
    assert (problem.code, problem.param) == ("invalid_request", param)


@given(st.binary(max_size=60), st.sampled_from([read_completion, read_embedding, read_response]))
def test_no_bytes_make_a_reader_raise(body, read):
    read(body)


@given(
    st.dictionaries(
        st.sampled_from(["role", "content", "text", "type", "output"]),
        st.recursive(st.none() | st.text() | st.integers(), lambda inner: st.lists(inner), max_leaves=4),
        min_size=1,
    )
)
def test_no_item_of_a_response_makes_the_estimate_raise(item):
    asked = read_response(json.dumps({"model": "m", "input": [item]}).encode())
    if isinstance(asked, ModelRequest):
        assert response_prompt(asked.body).tokens > 0


def test_ids_of_tokens_are_counted_and_of_several_prompts_the_longest_is_known():
    prompt = completion_prompt({"prompt": [[1, 2, 3], [4]]})
    assert (prompt.tokens, prompt.longest) == (4, 3)
    assert completion_prompt({"prompt": [1, 2, 3]}).tokens == 3
    asked = read_completion(b'{"model":"m","prompt":["a","b"],"n":2,"max_tokens":5}')
    assert isinstance(asked, ModelRequest)
    assert asked.max_tokens == 20


async def test_many_short_prompts_fit_where_one_of_their_length_does_not(tmp_path):
    body = json.dumps({"object": "list", "data": [], "usage": {"prompt_tokens": 16000}}).encode()
    async with replicas(script=lambda call: call.whole(body)) as (one,), gateway(tmp_path, [one.url]) as gw:
        many = await put(gw, "/v1/embeddings", input=["word " * 2000] * 8)
        long = await put(gw, "/v1/embeddings", input="word " * 16000)
        assert many.status == 200
        assert (long.status, error_code(long)) == (400, "context_length_exceeded")


def test_a_picture_is_known_again_and_not_counted_by_its_bytes():
    def prompt(data: str):
        part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + data}}
        return chat_prompt({"messages": [{"role": "user", "content": [part]}]})

    one, same, other = prompt("a" * 100_000), prompt("a" * 100_000), prompt("b" * 100_000)
    assert one.tokens < 1000
    assert one.text == same.text != other.text
