"""What a request body asks for, and the bytes that answer it."""

from __future__ import annotations

import contextlib

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simfleet.completions import Answer, BadRequest, Completion, parse, render_prompt
from simfleet.tokens import count

ASKED = {"model": "m", "messages": [{"role": "user", "content": "say something"}]}


def understood(**more) -> Completion:
    return parse(orjson.dumps(ASKED | more), model="m", context_tokens=4096)


@pytest.mark.parametrize(
    ("more", "length", "finish"),
    [
        ({"max_tokens": 1}, 1, "length"),
        ({"max_completion_tokens": 2, "max_tokens": 900}, 2, "length"),
        ({"max_tokens": 3000, "ignore_eos": True}, 3000, "length"),
        ({"max_tokens": 3000, "min_tokens": 3000}, 3000, "stop"),
        ({"min_tokens": 2500}, 2500, "stop"),
    ],
)
def test_a_client_can_demand_the_length_of_the_answer(more, length, finish):
    work = understood(**more).work
    assert (work.output_tokens, work.finish) == (length, finish)


def test_left_alone_the_model_stops_by_itself_at_a_length_of_its_own():
    free = understood().work
    assert free.finish == "stop"
    assert understood(max_tokens=free.output_tokens).work.finish == "stop"
    assert understood(max_tokens=free.output_tokens - 1).work.finish == "length"
    lengths = {understood(seed=seed).work.output_tokens for seed in range(30)}
    assert len(lengths) > 15
    assert all(1 <= length <= 2048 for length in lengths)


@settings(max_examples=50)
@given(st.integers(1, 300), st.integers(-(2**63), 2**63 - 1), st.text(max_size=60))
def test_the_same_request_gets_the_same_answer_in_any_pieces(length, seed, content):
    body = ASKED | {"messages": [{"role": "user", "content": content}]}
    asked = orjson.dumps(body | {"max_tokens": length, "ignore_eos": True, "seed": seed})
    one, two = (parse(asked, model="m", context_tokens=4096) for _ in range(2))
    whole = one.text(0, length)
    assert whole == b"".join(two.text(i, i + 1) for i in range(length))
    assert count(whole) == length
    assert one.work == two.work


def test_the_answer_continues_the_prompts_blocks_so_the_next_turn_finds_them():
    first = understood(max_tokens=100, ignore_eos=True)
    said = first.text(0, 100).decode()
    turns = [*ASKED["messages"], {"role": "assistant", "content": said}, {"role": "user", "content": "more"}]
    second = parse(orjson.dumps(ASKED | {"messages": turns, "max_tokens": 1}), model="m", context_tokens=4096)
    full = (first.work.prompt_tokens + 100) // 16
    assert second.work.blocks[:full] == first.work.blocks[:full]


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"{", 400, "not valid JSON"),
        (b"[]", 400, "must be a JSON object"),
        (orjson.dumps(ASKED | {"model": "other"}), 404, "`other` does not exist"),
        (orjson.dumps({"model": "m"}), 400, "non-empty list"),
        (orjson.dumps(ASKED | {"messages": []}), 400, "non-empty list"),
        (orjson.dumps(ASKED | {"messages": ["hi"]}), 400, "messages[0]"),
        (orjson.dumps(ASKED | {"messages": [{"role": "robot", "content": ""}]}), 400, "no known role"),
        (orjson.dumps(ASKED | {"messages": [{"role": "user", "content": 3}]}), 400, "string or a list"),
        (orjson.dumps(ASKED | {"messages": [{"role": "user"}]}), 400, "string or a list"),
        (
            orjson.dumps(ASKED | {"messages": [{"role": "user", "content": [{"type": "text"}]}]}),
            400,
            "as text",
        ),
        (orjson.dumps(ASKED | {"messages": [{"role": ["user"], "content": ""}]}), 400, "no known role"),
        (orjson.dumps(ASKED | {"max_tokens": 0}), 400, "at least 1"),
        (orjson.dumps(ASKED | {"max_tokens": "7"}), 400, "must be an integer"),
        (orjson.dumps(ASKED | {"max_tokens": True}), 400, "must be an integer"),
        (orjson.dumps(ASKED | {"max_tokens": 4, "min_tokens": 5}), 400, "at most max_tokens (4)"),
        (orjson.dumps(ASKED | {"n": 2}), 400, "n = 1"),
        (orjson.dumps(ASKED | {"max_tokens": 4096}), 400, "maximum context length is 4096 tokens"),
        (
            orjson.dumps(ASKED | {"messages": [{"role": "user", "content": "ace " * 5000}]}),
            400,
            "maximum context",
        ),
    ],
)
def test_a_request_that_cannot_be_served_is_told_why(body, status, says):
    with pytest.raises(BadRequest) as refused:
        parse(body, model="m", context_tokens=4096)
    error = orjson.loads(refused.value.body)["error"]
    assert refused.value.status == error["code"] == status
    assert says in error["message"]


@settings(max_examples=100)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_no_shape_of_messages_makes_the_reader_fail_otherwise(messages):
    with contextlib.suppress(BadRequest):
        render_prompt([messages])


def test_every_kind_of_message_counts():
    plain = render_prompt([{"role": "user", "content": "hi"}])
    parts = render_prompt(
        [{"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image_url"}]}]
    )
    assert parts == plain
    calling = [{"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function"}]}]
    assert count(render_prompt(calling)) > count(render_prompt([{"role": "assistant", "content": None}]))
    assert count(render_prompt(calling, tools=[{"name": "look"}])) > count(render_prompt(calling))


def test_events_of_a_stream_add_up_to_the_whole_answer():
    completion = understood(max_tokens=5, stream=True, stream_options={"include_usage": True})
    answer = Answer(completion, request_id='q"1', model="m", created=1)
    raw = answer.opening() + answer.event(0, 1) + answer.event(1, 4) + answer.event(4, 5) + answer.closing(16)
    lines = raw.decode().split("\n\n")
    assert lines[-2:] == ["data: [DONE]", ""]
    events = [orjson.loads(line.removeprefix("data: ")) for line in lines[:-2]]
    whole = orjson.loads(answer.whole(16))
    assert {event["id"] for event in events} == {whole["id"]} == {'chatcmpl-q"1'}
    choices = [event["choices"][0] for event in events[:-1]]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    said = "".join(choice["delta"]["content"] for choice in choices)
    assert said == whole["choices"][0]["message"]["content"]
    assert [choice["finish_reason"] for choice in choices] == [None, None, None, "length"]
    assert events[-1]["choices"] == []
    assert events[-1]["usage"] == whole["usage"]
    tokens = completion.work.prompt_tokens
    assert whole["usage"] == {
        "prompt_tokens": tokens,
        "completion_tokens": 5,
        "total_tokens": tokens + 5,
        "prompt_tokens_details": {"cached_tokens": 16},
    }
