"""A JSON file that is read in one call gives what reading it with care gives, or is read with care."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coordination.spec import SourceFile, read
from coordination.spec.source import json_text
from coordination.spec.source.marks import Slip

KEYS = st.sampled_from(["a", "b", "ä", "key", "x y", ""])
NUMBERS = st.sampled_from(
    ["0", "-0", "1", "-7", "1.50", "0.1", "1e5", "1E+5", "0.00000001", "-0.0", "1e400", "1e-20000"]
    + ["9" * n for n in (19, 20, 39, 40, 41, 300, 5000)]
    + [f"0.{'3' * n}" for n in (17, 38, 39, 60)]
)
TEXTS = st.text(max_size=5).map(json.dumps) | st.text(max_size=5).map(
    lambda text: json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
)
SCALARS = NUMBERS | TEXTS | st.sampled_from(["true", "false", "null", "NaN", '"\\ud83d\\ude00"', '"\\/"'])


def _object(pairs: list[tuple[str, str]]) -> str:
    return "{{{}}}".format(
        ", ".join(f"{json.dumps(key, ensure_ascii=False)} : {value}" for key, value in pairs)
    )


VALUES = st.recursive(
    SCALARS,
    lambda held: (
        st.lists(held, max_size=3).map(lambda items: "[{}]".format(",\n ".join(items)))
        | st.lists(st.tuples(KEYS, held), max_size=3).map(_object)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_read_in_one_call_is_what_is_read_with_care(text: str):
    quick = json_text.trees_of(text.encode())
    if quick is None:
        return
    slips: list[Slip] = []
    careful = [item.tree for item in json_text.items(text, slips)]
    assert slips == []
    assert repr(quick) == repr(careful), "types too: 1, true and 1.0 are equal"


@pytest.mark.parametrize(
    "text",
    ['{"a": 1, "a": 1}', '[{"b": {"a": 1, "a": 2}}]', '{"a": 1, "\\u0061": 1}', "1e5", "-0", "9" * 41, "NaN",
     '"\\ud800"', '{"a": 1,}', '{"a": 1} x', "", "[" * 5000 + "]" * 5000, "\ufeff{}", '{"a": 1e-20000}'],
)  # fmt: skip
def test_what_may_be_meant_otherwise_is_read_with_care(text: str):
    assert json_text.trees_of(text.encode("utf-8", "surrogatepass")) is None


@pytest.mark.parametrize(
    "text",
    ['{"a": [1, "ä", 0.10]}', '[\n {"a" : null},\t{"b":true}]', "[]", '{"\\u00e4": "\\u00E4 \\/ \\\\u00e4"}',
     '["\\u0041\\ud83d\\ude00\\u005c\\u0022", "\\u001F\\u000a\\n"]'],
)  # fmt: skip
def test_what_most_files_hold_is_read_in_one_call(text: str):
    assert json_text.trees_of(text.encode()) is not None


def _tenants(**members: Any) -> str:
    held = [
        {"apiVersion": "headway/v1", "kind": "Tenant", "metadata": {"name": name}, "spec": spec}
        for name, spec in members.items()
    ]
    return json.dumps(held, indent=2, ensure_ascii=False)


@pytest.mark.parametrize("written", ["Ä", "\\u00c4", "\\ud83d\\ude00"])
def test_a_mistake_stands_at_the_same_place_either_way(monkeypatch, written):
    text = _tenants(a={"tiers": ["s"], "display_name": "?"}, b={"tires": ["s"]}, c={"tiers": ["s", 4]})
    text = text.replace("?", written)
    assert json_text.trees_of(text.encode()) is not None
    quick = read([SourceFile("t.json", text.encode())])
    monkeypatch.setattr(json_text, "trees_of", lambda _: None)
    careful = read([SourceFile("t.json", text.encode())])
    assert len(quick[1]) == 2
    assert quick[1] == careful[1]
    places = [[d.locate("/spec/tiers/0") for d in policy_set.documents] for policy_set, _ in (quick, careful)]
    assert places[0] == places[1]


def test_the_same_part_of_two_documents_is_one_object_and_a_wrong_one_is_told_each_time():
    spec = {"tiers": ["s"], "labels": {"a": "b"}}
    first, second = read([SourceFile("t.json", _tenants(a=spec, b=spec).encode())])[0].documents
    assert first.spec.tiers is second.spec.tiers
    wrong = {"tiers": ["s", "s"]}
    _, found = read([SourceFile("t.json", _tenants(a=wrong, b=wrong).encode())])
    assert [each.code for each in found] == ["SPEC008", "SPEC008"]


def test_numbers_texts_and_flags_that_look_alike_are_told_apart_within_a_part():
    for value, code in ((1, "SPEC006"), ("1", None), (True, "SPEC006"), (1, "SPEC006"), ("1", None)):
        text = _tenants(a={"tiers": ["s"], "labels": {"a": value}})
        _, found = read([SourceFile("t.json", text.encode())])
        assert [each.code for each in found] == ([code] if code else [])
