"""Every kind's declaration: what it reads it writes, and what it writes it reads."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import jsonschema
import orjson
import pytest
from hypothesis import given, settings

from coordination.spec import KINDS, Document, SourceFile, read
from coordination.spec.declaration import Fields, collector, fields_of
from coordination.spec.finding import UNSET, Finding
from coordination.spec.kinds import NOTATIONS
from coordination.spec.kinds.quota import Amount, Limit
from coordination.spec.notation import Items, Whole
from coordination.spec.plain import Plain
from tests.support.policies import quickstart, quickstart_files
from tests.support.written import documents


def read_plain(document: Plain) -> Document:
    policy_set, diagnostics = read([SourceFile("t.json", orjson.dumps(document))])
    assert [d.message for d in diagnostics] == []
    return policy_set.documents[0]


@given(documents())
@settings(max_examples=200, deadline=None)
def test_reading_the_canonical_form_gives_the_same_document_and_the_same_bytes(plain: dict[str, Any]):
    first = read_plain(plain)
    second = read([SourceFile("t.json", first.canonical())])[0].documents[0]
    assert second.spec == first.spec
    assert second.metadata == first.metadata
    assert second.canonical() == first.canonical()


@given(documents())
@settings(max_examples=60, deadline=None)
def test_the_names_collected_are_those_mentioned(plain: dict[str, Any]):
    document = read_plain(plain)
    named: defaultdict[str, set[str]] = defaultdict(set)
    collector(NOTATIONS[document.kind])(document.spec, named)
    mentioned = {(mention.kind, mention.name) for mention in document.mentions()}
    assert {(kind, name) for kind, names in named.items() for name in names} == mentioned


def test_what_was_read_before_is_not_taken_for_what_is_equal_to_it():
    notation = Whole()
    found: list[Finding] = []
    assert notation.read(1, None, found) == 1
    assert notation.read(True, None, found) is UNSET
    assert notation.read("1", None, found) == notation.read(1, None, []) == 1
    assert [finding.misread.message for finding in found] == ["expected a whole number, found true"]


@given(documents())
@settings(max_examples=100, deadline=None)
def test_the_canonical_form_satisfies_the_json_schema_of_its_kind(plain: dict[str, Any]):
    document = read_plain(plain)
    jsonschema.Draft202012Validator(NOTATIONS[document.kind].schema()).validate(document.plain()["spec"])


def test_yaml_and_json_of_one_meaning_have_one_canonical_form():
    for document in quickstart().documents:
        again = read([SourceFile("t.json", document.canonical())])[0].documents[0]
        assert again.canonical() == document.canonical()


@pytest.mark.parametrize(
    ("one", "other"),
    [("{band: 200}", "{band: 200, overflow: refuse, queue: {}}"), ("{band: 0xC8}", "{'band': 200}"),
     ("{band: 200, queue: {max_wait: 60s}}", "{queue: {max_wait: 1m}, band: 200}"),
     ("{band: 200, service_tier: [a]}", "{band: 200, service_tier: ['a']}")],
)  # fmt: skip
def test_equal_meanings_have_equal_forms(one: str, other: str):
    forms = set()
    for spec in (one, other):
        text = f"apiVersion: headway/v1\nkind: Tier\nmetadata: {{name: t}}\nspec: {spec}\n"
        policy_set, diagnostics = read([SourceFile("t.yaml", text.encode())])
        assert diagnostics == []
        forms.add(policy_set.documents[0].canonical())
    assert len(forms) == 1


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_field_is_documented_and_every_kind_described(kind: str):
    assert KINDS[kind].__doc__
    pending = [NOTATIONS[kind]]
    while pending:
        for field in fields_of(pending.pop().block):
            assert field.doc, field.name
            assert field.doc.endswith(".")
            inner = field.notation.of if isinstance(field.notation, Items) else field.notation
            if isinstance(inner, Fields):
                pending.append(inner)


def test_the_references_of_a_document_are_found_with_their_places():
    found = {
        (document.kind, document.name): {(m.kind, m.name) for m in document.mentions()}
        for document in quickstart().documents
    }
    assert found["Reservation", "acme-chat"] == {("Tenant", "acme"), ("Pool", "chat-a"), ("Tier", "priority")}
    assert found["Route", "chat-priority"] == {
        ("Model", "llama-3-8b"), ("Tier", "priority"), ("Pool", "chat-a"), ("Pool", "chat-b")
    }  # fmt: skip
    assert ("Tier", "flex") in found["PriceBook", "list-prices"]


def test_every_sentence_of_the_quickstart_is_read():
    assert len(quickstart().documents) == sum(f.text.count(b"apiVersion:") for f in quickstart_files())


def test_limits_are_amounts():
    assert isinstance({f.name: f for f in fields_of(Limit)}["limit"].notation, Amount)
