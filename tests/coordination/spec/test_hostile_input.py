"""What a stranger may send: whatever it is, the answer is diagnostics, soon, and never a traceback."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.diagnostics import render_json, render_text
from coordination.spec import KINDS, SourceFile, read
from tests.support.policies import quickstart_files

HANG = 10.0
"""Seconds of CPU; each takes well under one. Only something quadratic would come near."""
DOCUMENT = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tiers: [a]}\n"

HOSTILE: dict[str, Callable[[], bytes]] = {
    "a billion laughs": lambda: b"a: &a [x]\n" + b"".join(
        f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n".encode() for p, c in pairwise("abcdefghi")
    ),
    "an alias to itself": lambda: b"a: &a [*a]\n",
    "fifty megabytes of nothing": lambda: b" " * 50_000_000,
    "fifty megabytes of a document": lambda: DOCUMENT.encode() * 500_000,
    "a million brackets": lambda: b"[" * 1_000_000,
    "a million braces": lambda: b"{a: " * 1_000_000,
    "a million dashes": lambda: b"- " * 1_000_000,
    "a million question marks": lambda: b"? " * 1_000_000,
    "a deep block": lambda: "\n".join(" " * i + "a:" for i in range(3000)).encode(),
    "one key of a megabyte": lambda: b"a" * 1_000_000 + b": 1\n",
    "one line of three megabytes": lambda: b"a: '" + b"x" * 3_000_000 + b"'\n",
    "a quote that never ends": lambda: b"a: '" + b"x\n" * 1_000_000,
    "ten thousand duplicates": lambda: b"a: 1\n" * 10_000,
    "a quarter of a million unknown fields": lambda: "".join(f"f{i}: 1\n" for i in range(250_000)).encode(),
    "millions of broken documents": lambda: b"---\n{\n" * 4_000_000,
    "a million wrong documents": lambda: b"---\nkind: Teir\n" * 1_000_000,
    "a million empty documents": lambda: b"---\n" * 1_000_000,
    "numbers without end": lambda: b"spec: " + b"9" * 1_000_000 + b"\n",
    "hexadecimal without end": lambda: b"spec: 0x" + b"f" * 1_000_000 + b"\n",
    "an exponent without end": lambda: b"spec: 1e999999999\n",
    "NUL": lambda: DOCUMENT.encode().replace(b"acme", b"ac\0me"),
    "half a character": lambda: DOCUMENT.encode() + b"# \xe2\x82",
    "UTF-16": lambda: DOCUMENT.encode("utf-16"),
    "surrogates": lambda: b"a: \xed\xa0\x80\n",
    "an escape to nowhere": lambda: b'a: "\\ud800"\n',
    "a thousand comment lines before a directive": lambda: b"  # x\n" * 100_000 + b"%YAML 1.1\n---\n",
    "spaces before nothing": lambda: b" " * 100_000 + b"\n%\n",
    "carriage returns": lambda: b"---\r" * 10_000,
    "tabs": lambda: b"\t" * 100_000,
    "a Python object": lambda: b"!!python/object/apply:os.system ['echo pwned']\n",
    "a set": lambda: b"!!set {a, b}\n",
    "binary": lambda: bytes(range(256)) * 100,
}  # fmt: skip

HOSTILE_JSON: dict[str, Callable[[], bytes]] = {
    "a million brackets": lambda: b"[" * 1_000_000,
    "a million objects": lambda: b'{"a":' * 1_000_000,
    "a number without end": lambda: b'{"a": ' + b"1" * 1_000_000 + b"}",
    "not a number": lambda: b'{"a": NaN, "b": Infinity}',
    "an array that is cut off": lambda: b'[{"kind": "Tier"}, {"kind": ',
    "ten thousand duplicates": lambda: b"{" + b",".join([b'"a": 1'] * 10_000) + b"}",
    "a million objects with duplicates": lambda: b"[" + b",".join([b'{"a":1,"a":2}'] * 1_000_000) + b"]",
    "words after the end": lambda: b"{} {}",
    "nothing": lambda: b"",
    "half a surrogate pair": lambda: b'{"kind": "\\ud800"}',
    "the other half": lambda: b'{"kind": "\\\\ \\udc00"}',
    "two halves apart": lambda: b'{"kind": "\\ud83d \\ude00"}',
    "a megabyte of blanks": lambda: b" " * 1_000_000 + b"{",
    "a string that never ends": lambda: b'{"a": "' + b"\\" * 1_000_001,
}


def said_about(name: str, data: bytes) -> str:
    """Everything the tools would print, which must be printable too."""
    began = time.process_time()
    policy_set, diagnostics = read([SourceFile(name, data)])
    text = render_text(diagnostics, policy_set.texts)
    render_json(diagnostics, ok=False).encode()
    assert time.process_time() - began < HANG
    text.encode()
    assert not set(text) & {"\x00", "\x1b", "\u202e"}
    assert len(text) < 20_000_000
    return text


@pytest.mark.parametrize("story", HOSTILE)
def test_hostile_yaml_is_answered(story: str):
    said = said_about("hostile.yaml", HOSTILE[story]())
    harmless = {"carriage returns"}
    assert "error[" in said or story in harmless


@pytest.mark.parametrize("story", HOSTILE_JSON)
def test_hostile_json_is_answered(story: str):
    assert "error[" in said_about("hostile.json", HOSTILE_JSON[story]())


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_answered(data: bytes):
    said_about("any.yaml", data)
    said_about("any.json", data)


PIECES = (
    b"", b"{", b"]", b": ", b"- ", b"\n---\n", b"'", b"\t", b"&a ", b"*a", b"0", b"%", b"null", b"[]", b"{}",
    b"-1", b"1e9", b"!x ", b"# ", b"\xff", b"\n",
)  # fmt: skip


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_the_quickstart_with_anything_done_to_it_is_answered(data: st.DataObject):
    """Cuts, repeats and replaces stretches of a real policy: most of it stays meaningful."""
    file = data.draw(st.sampled_from(quickstart_files()))
    text = file.text
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = data.draw(st.integers(start, min(len(text), start + 40)))
        put = data.draw(st.sampled_from([*PIECES, text[start:stop] * 2]))
        text = text[:start] + put + text[stop:]
    said_about(file.name, text)


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
WORDS = st.sampled_from(["spec", "name", "limits", "targets", "window", "match", "of", "tiers", "x"])
TREES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@given(TREES, st.sampled_from(sorted(KINDS)))
@settings(max_examples=150, deadline=None)
def test_any_tree_in_the_place_of_a_spec_is_answered(tree: object, kind: str):
    document = {"apiVersion": "headway/v1", "kind": kind, "metadata": {"name": "x"}, "spec": tree}
    said_about("tree.json", json.dumps(document).encode())
