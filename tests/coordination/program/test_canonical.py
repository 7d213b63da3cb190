"""One value, one string of bytes: RFC 8785 where it has no traps, a refusal everywhere else."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.canonical import (
    MAX_DEPTH,
    MAX_INTEGER,
    NotCanonicalError,
    canonical_bytes,
    parse_canonical,
    sha256_digest,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param({"b": 1, "a": 2}, b'{"a":2,"b":1}', id="keys are sorted"),
        pytest.param([], b"[]", id="an empty list"),
        pytest.param((1, 2), b"[1,2]", id="a tuple is a list"),
        pytest.param(MAX_INTEGER, b"9007199254740991", id="the largest integer"),
        pytest.param(-MAX_INTEGER, b"-9007199254740991", id="the smallest integer"),
        pytest.param('\b\t\n\f\r"\\/', b'"\\b\\t\\n\\f\\r\\"\\\\/"', id="short escapes, no escaped slash"),
        pytest.param(
            "\x00\x1f\x7f", b'"\\u0000\\u001f\x7f"', id="other controls in lower-case hex, DEL as it is"
        ),
        pytest.param("é\u2028€", '"é\u2028€"'.encode(), id="everything else as it is"),
        pytest.param(
            # The example of RFC 8785, section 3.2.3: the order is that of UTF-16 code units.
            {"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
            '{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'.encode(),
            id="keys sort by UTF-16, not by code point",
        ),
        pytest.param(
            {"x": [{"\ue000": 1, "\U00010000": 2}]},
            '{"x":[{"\U00010000":2,"\ue000":1}]}'.encode(),
            id="at any depth",
        ),
    ],
)
def test_writes(value, expected):
    assert canonical_bytes(value) == expected


@pytest.mark.parametrize(
    ("value", "why"),
    [
        pytest.param(1.0, "float", id="a float, though whole"),
        pytest.param(float("nan"), "float", id="not a number"),
        pytest.param(MAX_INTEGER + 1, "beyond", id="an integer a double cannot tell from the next"),
        pytest.param(-MAX_INTEGER - 1, "beyond", id="and its negative"),
        pytest.param(10**40, "beyond", id="a huge integer"),
        pytest.param({1: 2}, "not a string", id="a key that is a number"),
        pytest.param({None: 2}, "not a string", id="a key that is nothing"),
        pytest.param("\ud800", "surrogate", id="half a character"),
        pytest.param({"\udc00": 1}, "surrogate", id="half a character as a key"),
        pytest.param({"\ue000\ud800": 1}, "surrogate", id="half a character in a key sorted by us"),
        pytest.param(b"bytes", "no canonical form", id="bytes"),
        pytest.param(uuid.UUID(int=0), "no canonical form", id="something orjson would write"),
        pytest.param({"a": {1}}, "no canonical form", id="a set, deeper"),
    ],
)
def test_refuses(value, why):
    with pytest.raises(NotCanonicalError, match=why):
        canonical_bytes(value)


def test_hostile_nesting_is_refused_before_it_hurts():
    deep: list[object] = []
    for _ in range(MAX_DEPTH):
        deep = [deep]
    with pytest.raises(NotCanonicalError, match="nested"):
        canonical_bytes(deep)
    with pytest.raises(NotCanonicalError):
        parse_canonical(b"[" * 100_000 + b"]" * 100_000)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b'{"a":1,"a":1}', id="a key twice"),
        pytest.param(b'{"b":1,"a":2}', id="keys out of order"),
        pytest.param(b'{"a": 1}', id="white space"),
        pytest.param(b'{"a":1}\n', id="a line end"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="a byte order mark"),
        pytest.param(b'"\\u0041"', id="an escape that is not needed"),
        pytest.param(b'"\\u001F"', id="upper-case hex"),
        pytest.param(b"1e3", id="an exponent"),
        pytest.param(b"-0", id="minus nothing"),
        pytest.param(b"1.0", id="a float"),
        pytest.param(b"01", id="a leading zero"),
        pytest.param(b"9007199254740993", id="too large an integer"),
        pytest.param(b'"\xff"', id="not UTF-8"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"{", id="half of something"),
    ],
)
def test_reads_only_what_it_would_write(text):
    with pytest.raises(NotCanonicalError):
        parse_canonical(text)


@settings(max_examples=100)
@given(VALUES)
def test_reading_gives_the_value_back_and_the_standard_library_agrees_on_what_it_says(value):
    data = canonical_bytes(value)
    assert parse_canonical(data) == value
    assert json.loads(data) == value


@settings(max_examples=100)
@given(st.dictionaries(TEXT, st.integers(0, 9)))
def test_keys_are_in_utf16_order_and_insertion_order_is_forgotten(value):
    data = canonical_bytes(value)
    keys = list(json.loads(data))
    assert keys == sorted(keys, key=lambda key: key.encode("utf-16-be"))
    assert canonical_bytes(dict(reversed(value.items()))) == data


@settings(max_examples=100)
@given(VALUES, VALUES)
def test_two_values_share_bytes_only_if_they_are_equal(one, other):
    # In Python True == 1; in JSON it is not.
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (canonical_bytes(one) == canonical_bytes(other)) is same


def test_a_digest_is_written_one_way():
    assert sha256_digest(b"") == ("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
