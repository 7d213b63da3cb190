"""Are exactly two edits made to an engine's bytes, whatever they are and however they arrive?"""

from __future__ import annotations

import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coordination.scheduling.values import Usage
from gateway.json_member import set_member
from gateway.sse import EventStream

NAME = b'"service_tier"'


def chunk(text: str = "hi", **members) -> bytes:
    body = {
        "id": "c1",
        "object": "chat.completion.chunk",
        "choices": [{"index": 0, "delta": {"content": text}}],
    }
    return b"data: " + json.dumps(body | members).encode() + b"\n\n"


USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}
COUNTED = Usage(uncached_input=5, cached_input=4, output=3)
USAGE_EVENT = chunk(choices=[], usage=USAGE)
DONE = b"data: [DONE]\n\n"


def edit(stream: bytes, *, strip_usage: bool = True, cuts: tuple[int, ...] = ()) -> tuple[bytes, EventStream]:
    events = EventStream("standard", strip_usage=strip_usage)
    out, start = b"", 0
    for cut in (*sorted(cuts), len(stream)):
        out += events.feed(stream[start:cut])
        start = cut
    return out + events.close(), events


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"{}", b'{"service_tier":"flex"}'),
        (b'{ "a" : 1 }', b'{ "a" : 1 ,"service_tier":"flex"}'),
        (b'{"a": 1, "service_tier" :  null , "b": 2.50}', b'{"a": 1, "service_tier" :  "flex" , "b": 2.50}'),
        (b'{"service_tier":"au\\"to"}', b'{"service_tier":"flex"}'),
        (b'{"service_tier":{"a":[1,"}"]}}', b'{"service_tier":"flex"}'),
        (b'{"a":"service_tier"}', b'{"a":"service_tier","service_tier":"flex"}'),
        (b'{"a":{"service_tier":1}}', b'{"a":{"service_tier":1},"service_tier":"flex"}'),
        (b'{"a":["service_tier",1],"service_tier":1}', b'{"a":["service_tier",1],"service_tier":"flex"}'),
        (b'{"a":"say \\"service_tier"}', b'{"a":"say \\"service_tier","service_tier":"flex"}'),
        (b'{"a":"\\"service_tier\\":1"}', b'{"a":"\\"service_tier\\":1","service_tier":"flex"}'),
    ],
)
def test_a_member_is_set_where_it_stands_or_added_last(text, expected):
    assert set_member(text, text.rfind(b"}"), NAME, b'"flex"') == expected


keys = st.sampled_from(["service_tier", "a", 'say "service_tier', "choices", "ä"]) | st.text(max_size=6)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=8) | keys,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


@given(
    body=st.dictionaries(keys, json_values, max_size=5),
    indent=st.sampled_from([None, 1]),
    ascii_=st.booleans(),
)
def test_setting_a_member_changes_that_member_and_no_other_byte(body, indent, ascii_):
    text = json.dumps(body, indent=indent, ensure_ascii=ascii_).encode()
    edited = set_member(text, text.rfind(b"}"), NAME, b'"flex"')
    assert json.loads(edited) == body | {"service_tier": "flex"}
    if "service_tier" not in body:
        comma = b"," if body else b""
        assert edited.replace(comma + b'"service_tier":"flex"}', b"}", 1) == text or body
        assert len(edited) == len(text) + len(comma) + len(b'"service_tier":"flex"')


def test_every_content_event_gets_the_tier_and_the_asked_usage_is_left_out():
    stream = chunk("a") + chunk("b") + USAGE_EVENT + DONE
    out, events = edit(stream)
    expected = b"".join(e[:-3] + b',"service_tier":"standard"}\n\n' for e in (chunk("a"), chunk("b"))) + DONE
    assert out == expected
    assert events.usage == COUNTED
    assert events.done
    assert events.tokens == 2


def test_usage_the_client_asked_for_stays():
    out, events = edit(chunk("a") + USAGE_EVENT + DONE, strip_usage=False)
    assert out.count(b"prompt_tokens_details") == 1
    assert events.usage == COUNTED


def test_usage_on_a_chunk_with_content_is_read_but_stays():
    out, events = edit(chunk("a", usage=USAGE))
    assert b'"usage"' in out
    assert events.usage == COUNTED


@given(
    st.lists(st.sampled_from(["null", '"auto"', "1", "12", "123", '{"a":1}', '"1"']), max_size=6),
    st.booleans(),
)
def test_a_tier_the_engine_names_is_replaced_in_every_event(values, early):
    def event(value: bytes) -> bytes:
        return (
            b'data: {"id":1,"service_tier":%b,"choices":[]}\n\n' % value
            if early
            else (b'data: {"id":1,"choices":[],"service_tier":%b}\n\n' % value)
        )

    out, _ = edit(b"".join(event(value.encode()) for value in values))
    assert out == event(b'"standard"') * len(values)


@pytest.mark.parametrize(
    "event",
    [
        DONE,
        b": keep-alive\n\n",
        b'event: ping\ndata: {"choices": []}\n\n',
        b'data: {"error": {"message": "boom"}}\n\n',
        b'data: {"choices":\ndata: []}\n\n',
        b"data: not json}\n\n",
        b"\n\n",
        b"id: 7\n\n",
    ],
)
def test_anything_else_passes_as_it_is(event):
    assert edit(event)[0] == event


def test_carriage_returns_are_kept():
    event = chunk("a").replace(b"\n\n", b"\r\n\r\n")
    assert edit(event)[0] == event[:-5] + b',"service_tier":"standard"}\r\n\r\n'


PIECES = [
    chunk("a"),
    chunk("ü\n\n"),
    chunk("x", usage=None),
    USAGE_EVENT,
    DONE,
    b": hi\n\n",
    b"data: {\r\n\r\n",
]
pieces = st.lists(st.sampled_from(PIECES), max_size=6)


@given(pieces=pieces, cuts=st.lists(st.integers(0, 900), max_size=8).map(tuple))
@example(pieces=[chunk("a" * EventStream.limit), chunk("b")], cuts=(10, EventStream.limit + 40))
def test_where_the_bytes_were_cut_makes_no_difference(pieces, cuts):
    stream = b"".join(pieces)
    whole, _ = edit(stream)
    parts, _ = edit(stream, cuts=tuple(c for c in cuts if c <= len(stream)))
    if all(len(piece) <= EventStream.limit for piece in pieces):
        assert parts == whole
    else:
        assert parts.count(b'"service_tier"') <= whole.count(b'"service_tier"')
        assert parts.replace(b',"service_tier":"standard"', b"") == stream


def test_an_event_that_never_ends_is_passed_on_and_not_held():
    events = EventStream("standard", strip_usage=True)
    sent = got = b""
    for _ in range(64):
        part = b"data: " + b"x" * 4090
        sent += part
        got += events.feed(part)
        assert events.held <= EventStream.limit
    tail = b"\n\n" + chunk("a")
    got += events.feed(tail[:1]) + events.feed(tail[1:])
    assert got == sent + b"\n\n" + chunk("a")[:-3] + b',"service_tier":"standard"}\n\n'
