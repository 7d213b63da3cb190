"""Documents as people like to read them: what is written reads as the same document, and looks right."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.spec import SourceFile, read
from coordination.spec.formatting import WIDTH, to_yaml
from tests.support.policies import QUICKSTART


def one(text: bytes, name="given.yaml"):
    policy_set, diagnostics = read([SourceFile(name, text)])
    assert not diagnostics, diagnostics
    return policy_set.documents[0]


def quickstart():
    files = [SourceFile(path.name, path.read_bytes()) for path in sorted(QUICKSTART.glob("*.yaml"))]
    return read(files)[0].documents


@pytest.mark.parametrize("document", quickstart(), ids=lambda document: f"{document.kind}/{document.name}")
def test_every_quickstart_document_is_written_and_read_back(document):
    text = to_yaml(document)
    assert one(text.encode()).canonical() == document.canonical()
    assert to_yaml(one(text.encode())) == text
    assert max(map(len, text.splitlines())) <= WIDTH


TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cf", "Zl", "Zp", "Cn", "Co"]), max_size=30)
TRAPS = st.sampled_from(
    ["no", "null", "~", "true", "0x10", "1e3", ".5", "12", "- a", "a: b", "a #b", "#", "", " ", "x ", "'",
     '"', "{a}", "[a", "a,b", "*a", "&a", "!a", "%a", "@a", "`a", "|", ">", "?", ":", "a:", "http://x:1/",
     "---", "2026-01-01", "+1", "0o7", "\\", "a\\n", "=", "<<", "a  b"]
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(
    st.one_of(TEXTS, TRAPS), st.dictionaries(st.sampled_from(["team", "a/b", "1", "true"]), TRAPS, max_size=3)
)
def test_no_text_is_taken_for_anything_else(description, labels):
    tree = {
        "apiVersion": "headway/v1",
        "kind": "Tenant",
        "metadata": {"name": "acme/search", "description": description, "labels": labels},
        "spec": {"tiers": ["priority"], "labels": labels},
    }
    document = one(json.dumps(tree).encode(), "given.json")
    assert one(to_yaml(document).encode()).canonical() == document.canonical()


def test_fields_stand_in_the_order_of_the_language_and_defaults_are_left_out():
    given = b"""
spec: {overflow: spill, burn: {cached_input: 0.25}, tier: priority, pool: chat, tenant: acme,
       throughput: {output: 1000 tokens/min, input: 600000 tokens/min},
       window: {until: 2027-03-01T00:00:00Z, from: 2026-12-01T00:00:00Z}}
metadata: {name: booked}
kind: Reservation
apiVersion: headway/v1
"""
    assert to_yaml(one(given)) == (
        "apiVersion: headway/v1\n"
        "kind: Reservation\n"
        "metadata: {name: booked}\n"
        "spec:\n"
        "  tenant: acme\n"
        "  pool: chat\n"
        "  tier: priority\n"
        "  throughput: {input: 600k tokens/min, output: 1k tokens/min}\n"
        "  burn: {cached_input: 0.25}\n"
        "  window: {from: 2026-12-01T00:00:00Z, until: 2027-03-01T00:00:00Z}\n"
    )
