"""Is a chat request read as OpenAI's clients write it, and refused where it makes no sense?"""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Problem
from gateway.prompt import estimate_tokens, normalised_text, read_chat, upstream_body

GOOD = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}


def read(**members: Any) -> Any:
    return read_chat(json.dumps(GOOD | members).encode())


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"model": None}, "model"),
        ({"model": 3}, "model"),
        ({"model": ""}, "model"),
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages"),
        ({"messages": [{"content": "hello"}]}, "messages"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {}}, "stream_options"),
        ({"stream": True, "stream_options": []}, "stream_options"),
        ({"service_tier": 1}, "service_tier"),
        ({"prompt_cache_key": 1}, "prompt_cache_key"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": -1}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens"),
        ({"n": 0}, "n"),
    ],
)
def test_a_member_that_makes_no_sense_is_named(members, param):
    problem = read(**members)
    assert isinstance(problem, Problem)
    assert (problem.code, problem.param) == ("invalid_request", param)


@pytest.mark.parametrize("body", [b"", b"{", b"[1", b"\xff", b'{"a":"\\ud800"}', b"{'a':1}", b"nul"])
def test_a_body_that_is_not_json_says_so(body):
    problem = read_chat(body)
    assert isinstance(problem, Problem)
    assert problem.code == "invalid_json"


@pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"text"'])
def test_a_body_that_is_no_object_says_so(body):
    problem = read_chat(body)
    assert isinstance(problem, Problem)
    assert problem.code == "invalid_request"


@given(st.binary(max_size=200))
def test_no_bytes_make_the_reader_raise(body):
    read_chat(body)


def test_several_choices_multiply_the_output_asked_for():
    assert read(max_tokens=100, n=3).max_tokens == 300
    assert read(max_completion_tokens=7, max_tokens=100).max_tokens == 7
    assert read().max_tokens is None


def test_a_longer_conversation_begins_with_the_shorter_ones_text():
    parts = [{"type": "text", "text": "Hi"}, {"type": "image_url", "image_url": {"url": "x"}}]
    call = {"id": "1", "function": {"name": "f", "arguments": "{}"}}
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": parts},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "content": "ok"},
    ]
    texts = [normalised_text({"messages": turns[:n]}) for n in range(1, 5)]
    for shorter, longer in pairwise(texts):
        assert longer.startswith(shorter)
        assert longer != shorter


def test_key_order_and_blanks_of_the_json_do_not_change_the_text():
    one = json.loads(
        '{"tools":[{"type":"function","function":{"name":"f"}}],"messages":[{"role":"user","content":"x"}]}'
    )
    two = json.loads(
        '{"messages":[{"content":"x","role":"user"}], "tools":[{"function":{"name":"f"},"type":"function"}]}'
    )
    assert normalised_text(one) == normalised_text(two)


def test_the_engine_is_asked_for_usage_and_not_told_of_our_members():
    chat = read(
        stream=True, service_tier="flex", prompt_cache_key="k", temperature=0.5, stream_options={"x": 1}
    )
    sent = json.loads(upstream_body(chat, "served"))
    assert sent == GOOD | {
        "model": "served",
        "stream": True,
        "temperature": 0.5,
        "stream_options": {"x": 1, "include_usage": True},
    }


def test_of_two_members_with_one_name_the_engine_sees_the_one_that_was_judged():
    chat = read_chat(b'{"model":"cheap","model":"dear","messages":[{"role":"user","content":"x"}]}')
    assert not isinstance(chat, Problem)
    assert chat.model == "dear"
    assert upstream_body(chat, "dear").count(b"model") == 1


letters = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@given(letters, letters)
def test_more_text_is_never_estimated_as_less(first, more):
    assert (
        estimate_tokens(first + more, (first + more).encode(), 1)
        >= estimate_tokens(first, first.encode(), 1)
        > 0
    )
