"""Do answers of every engine come through, are counted as it counts them, and as far as it does?

The bodies are written after what each engine sends; what differs is where they put usage, what they write for
no text, and how they set blanks and line ends.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from tests.gateway.raw_client import RawClient
from tests.gateway.running import chat_body, chat_request, explanation, gateway
from tests.gateway.upstream import DONE, replicas

ESTIMATED = "our estimate of the prompt, and the events that passed"


class Told(NamedTuple):
    """An answer of an engine, streamed and whole, and what it comes to."""

    events: list[bytes]
    whole: dict[str, Any] | None
    tokens: dict[str, int]
    by: str = "the engine's count"
    stripped: int = 1
    """Events the client does not get because it did not ask for usage."""


def event(choices: list[dict[str, Any]], *, spaced: bool = False, **members: Any) -> bytes:
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    text = json.dumps(body | members) if spaced else json.dumps(body | members, separators=(",", ":"))
    return b"data: %b\n\n" % text.encode()


def delta(text: str | None = None, *, finish: str | None = None, **members: Any) -> list[dict[str, Any]]:
    said = {} if text is None else {"content": text}
    return [{"index": 0, "delta": said | members, "logprobs": None, "finish_reason": finish}]


def whole(**members: Any) -> dict[str, Any]:
    message = {"role": "assistant", "content": "one two three"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices} | members


def usage(**members: Any) -> dict[str, Any]:
    return {"prompt_tokens": 9, "total_tokens": 12, "completion_tokens": 3} | members


CACHED = {"prompt_tokens_details": {"cached_tokens": 4}}
SPOKEN = [event(delta(word)) for word in ("one", " two", " three")]
NOTHING = {"content": None, "reasoning_content": None, "tool_calls": None}
COUNTED = {"uncached_input": 5, "cached_input": 4, "output": 3}
UNCACHED = {"uncached_input": 9, "cached_input": 0, "output": 3}
TIMINGS = {"cache_n": 4, "prompt_n": 5, "prompt_ms": 20.5, "predicted_n": 3, "predicted_ms": 30.25}

ENGINES = {
    "vLLM": Told(
        [
            event(delta("", role="assistant")),
            *SPOKEN,
            event(delta("", finish="stop")),
            event([], usage=usage(**CACHED)),
        ],
        whole(usage=usage(**CACHED), prompt_logprobs=None, kv_transfer_params=None),
        COUNTED,
    ),
    "vLLM, usage in every event": Told(
        [
            event(delta("", role="assistant"), usage=usage(completion_tokens=0, total_tokens=9)),
            *(
                event(delta(word), usage=usage(completion_tokens=n + 1, total_tokens=10 + n))
                for n, word in enumerate(("one", " two", " three"))
            ),
            event([], usage=usage(**CACHED)),
        ],
        None,
        COUNTED,
    ),
    "vLLM without details": Told(
        [*SPOKEN, event([], usage=usage(prompt_tokens_details=None))],
        whole(usage=usage(prompt_tokens_details=None)),
        UNCACHED,
    ),
    "SGLang": Told(
        [
            event(delta(role="assistant", **NOTHING | {"content": ""}), usage=None),
            *(event(delta(word, reasoning_content=None), usage=None) for word in ("one", " two", " three")),
            event(delta(role=None, finish="stop", **NOTHING), usage=None),
            event([], usage=usage(**CACHED, reasoning_tokens=1)),
        ],
        whole(usage=usage(**CACHED, reasoning_tokens=1), metadata={"weight_version": "default"}),
        COUNTED | {"output": 2, "reasoning": 1},
    ),
    "TGI": Told(
        [
            *(one.replace(b"data: ", b"data:") for one in SPOKEN),
            event(delta("", role="assistant", finish="stop"), usage=None).replace(b"data: ", b"data:"),
            event([], usage=usage()).replace(b"data: ", b"data:"),
        ],
        whole(usage=usage(), system_fingerprint="3-sha"),
        UNCACHED,
    ),
    "TGI that knows no stream_options": Told(
        [*SPOKEN, event(delta("", role="assistant", finish="stop"))],
        None,
        {"output": 3},
        ESTIMATED,
        stripped=0,
    ),
    "TensorRT-LLM": Told(
        [
            event(delta(role="assistant")),
            *SPOKEN,
            event(delta("", finish="stop"), usage=None),
            event([], usage=usage(prompt_tokens_details={"cached_tokens": 4})),
        ],
        whole(usage=usage(**CACHED), prompt_token_ids=None),
        COUNTED,
    ),
    "llama.cpp": Told(
        [
            event(delta(None, role="assistant", content=None)),
            *SPOKEN,
            event(delta(finish="stop")),
            event([], usage=usage(), timings=TIMINGS),
        ],
        whole(usage=usage(), timings=TIMINGS),
        COUNTED,
    ),
    "llama-cpp-python": Told(
        [
            event(delta(role="assistant"), spaced=True).replace(b"\n", b"\r\n"),
            *(
                event(delta(word), spaced=True).replace(b"\n", b"\r\n")
                for word in ("one", " two", " three")
            ),
            event(delta(finish="length"), spaced=True).replace(b"\n", b"\r\n"),
        ],
        whole(usage=usage()),
        {"output": 3},
        ESTIMATED,
        stripped=0,
    ),
    "a gateway to others": Told(
        [
            b": keep-alive\n\n",
            event([], prompt_filter_results=[{"prompt_index": 0}], usage=None),
            *(event(delta(word), usage=None, obfuscation="x7") for word in ("one", " two", " three")),
            event(delta(finish="stop"), usage=None),
            event([], usage=usage(**CACHED)),
        ],
        whole(usage=usage(**CACHED)),
        COUNTED,
    ),
    "timings that make no sense": Told(
        [*SPOKEN, event([], usage=usage(), timings={"cache_n": "4"})],
        whole(usage=usage(), timings=[1]),
        UNCACHED,
    ),
    "tool calls and reasoning": Told(
        [
            event(delta(reasoning_content="hm")),
            event(delta(tool_calls=[{"index": 0, "function": {"name": "f", "arguments": ""}}])),
            event(delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}])),
            event(delta(finish="tool_calls", **NOTHING)),
        ],
        None,
        {"output": 2},
        ESTIMATED,
        stripped=0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("asks", [False, True], ids=["without usage", "with usage"])
@pytest.mark.parametrize("engine", ENGINES)
async def test_a_stream_comes_through_and_is_counted_as_the_engine_counts(tmp_path, engine, asks):
    told = ENGINES[engine]

    async def script(call):
        assert call.body["stream_options"]["include_usage"], "it is always asked for"
        await call.begin_stream()
        for one in (*told.events, DONE):
            await call.chunk(one)
        await call.end_stream()

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        options = {"stream_options": {"include_usage": True}} if asks else {}
        await client.send(chat_request(chat_body(stream=True, **options)))
        got = await client.answer()
        client.close()
        assert got.status == 200
        passed = told.events if asks or not told.stripped else told.events[: -told.stripped]
        assert _without_tier(got.body) == [_parsed(one) for one in (*passed, DONE)]
        found = await explanation(gw, got)
        assert found["outcome"] == "completed"
        charged = {name: count for name, count in found["charge"]["tokens"].items() if count}
        assert charged.items() >= {name: count for name, count in told.tokens.items() if count}.items()
        if told.by != ESTIMATED:
            assert charged == {name: count for name, count in told.tokens.items() if count}


@pytest.mark.parametrize("engine", [name for name, told in ENGINES.items() if told.whole is not None])
async def test_a_whole_answer_comes_through_and_is_counted_as_the_engine_counts(tmp_path, engine):
    told = ENGINES[engine]

    async def script(call):
        await call.whole(json.dumps(told.whole).encode())

    async with replicas(script=script) as (one,), gateway(tmp_path, [one.url]) as gw:
        client = await RawClient.to(gw.data.port)
        await client.send(chat_request(chat_body()))
        got = await client.answer()
        client.close()
        assert json.loads(got.body) == (told.whole or {}) | {"service_tier": "default"}
        found = await explanation(gw, got)
        expected = UNCACHED if told.by == ESTIMATED else told.tokens
        assert {name: count for name, count in found["charge"]["tokens"].items() if count} == {
            name: count for name, count in expected.items() if count
        }


def _without_tier(stream: bytes) -> list[object]:
    events = stream.replace(b"\r\n", b"\n").removesuffix(b"\n\n").split(b"\n\n")
    found = [_parsed(one) for one in events]
    for one in found:
        if isinstance(one, dict):
            assert one.pop("service_tier") == "default"
    return found


def _parsed(event: bytes) -> object:
    text = event.strip()
    if text.startswith(b"data:") and text[5:].strip() != b"[DONE]":
        parsed: object = json.loads(text[5:])
        return parsed
    return text
