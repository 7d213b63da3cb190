"""From files to documents: every form a policy set may take, and where each part of it stands."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from coordination.compiler import check
from coordination.diagnostics import Location
from coordination.spec import SourceFile, read
from coordination.spec.source import json_text, yaml_text
from coordination.spec.source.marks import Slip
from tests.support.policies import NEW_YEAR_2026, quickstart_files

TENANT = """\
apiVersion: headway/v1
kind: Tenant
metadata: {name: %s}
spec:
  tiers: [standard]
"""


def names(files: list[SourceFile]) -> list[str]:
    policy_set, diagnostics = read(files)
    assert diagnostics == []
    return [document.name for document in policy_set.documents]


def test_a_file_may_hold_several_documents_and_comments_between_them():
    text = f"# first\n{TENANT % 'a'}---\n# second\n{TENANT % 'b'}---\n---\n# none\n"
    assert names([SourceFile("t.yaml", text.encode())]) == ["a", "b"]


def test_documents_may_begin_on_the_line_of_their_separator():
    text = "--- {apiVersion: headway/v1, kind: Tenant, metadata: {name: a}, spec: {tiers: [s]}}\n"
    assert names([SourceFile("t.yaml", text.encode())]) == ["a"]


def test_dashes_within_a_text_do_not_separate():
    text = TENANT.replace("{name: %s}", "{name: a, description: 'x --- y'}") + "# ---\n"
    assert names([SourceFile("t.yaml", text.encode())]) == ["a"]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_is_understood(line_end: str):
    text = f"{TENANT % 'a'}---\n{TENANT % 'b'}".replace("\n", line_end)
    assert names([SourceFile("t.yaml", text.encode())]) == ["a", "b"]


def test_json_holds_one_object_or_an_array_of_them():
    one = {"apiVersion": "headway/v1", "kind": "Tenant", "metadata": {"name": "a"}, "spec": {"tiers": ["s"]}}
    two = {**one, "metadata": {"name": "b"}}
    assert names([SourceFile("t.json", json.dumps(one).encode())]) == ["a"]
    assert names([SourceFile("t.json", json.dumps([one, two]).encode())]) == ["a", "b"]
    assert names([SourceFile("t.json", b" [ ] ")]) == []


def test_the_order_of_files_does_not_matter():
    files = quickstart_files()
    there, back = read(files)[0], read(reversed(files))[0]
    assert [d.canonical() for d in there.documents] == [d.canonical() for d in back.documents]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("no", "no"), ("yes", "yes"), ("on", "on"), ("true", True), ("False", False), ("~", None), ("", None),
     ("null", None),
     ("12", 12), ("-3", -3), ("+3", 3), ("0o17", 15), ("017", 17), ("0x1F", 31),
     ("1_000", "1_000"),
     ("1.50", Decimal("1.50")), (".5", Decimal("0.5")), ("1e3", Decimal("1e3")), (".inf", ".inf"),
     (".nan", ".nan"),
     ("2026-12-01", "2026-12-01"), ("2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z"),
     ("12:30", "12:30"),
     ("'12'", "12"), ('"true"', "true"), ("600k", "600k"), ("99.9%", "99.9%"), ("=", "="), ("0b11", "0b11")],
)  # fmt: skip
def test_scalars_are_those_of_yaml_1_2(written: str, read_as: object):
    slips: list[Slip] = []
    assert yaml_text.compose(f"[{written or '~'}]", slips) == [read_as]
    assert slips == []


def test_json_numbers_are_exact():
    [item] = json_text.items('{"a": 0.1, "b": 12345678901234567890, "c": 1e2, "d": true}', [])
    assert item.tree == {"a": Decimal("0.1"), "b": 12345678901234567890, "c": Decimal("1e2"), "d": True}


def place(text: str, pointer: str, file: str = "t.yaml", on: str = "value") -> str:
    """The text that a pointer into the last document of a file is shown to stand for."""
    policy_set, diagnostics = read([SourceFile(file, text.encode())])
    assert diagnostics == []
    at: Location = policy_set.documents[-1].locate(pointer, "key" if on == "key" else "value")
    assert at.line == at.end_line
    return f"{at.line}:{text.splitlines()[at.line - 1][at.column - 1 : at.end_column - 1]}"


ROUTE = """\
# a comment with ümlauts
---
apiVersion: headway/v1
kind: Route
metadata: {name: r, labels: {a/b: "x"}}
spec:
  rank: 10
  targets:
    - {pool: a}
    - pool: b
      weight: 3
  match: {models: [m, "ö", n]}
"""


@pytest.mark.parametrize(
    ("pointer", "on", "shown"),
    [("/kind", "value", "4:Route"), ("/kind", "key", "4:kind"), ("/spec", "value", "6:spec"),
     ("/spec/rank", "value", "7:10"), ("/spec/targets", "value", "8:targets"),
     ("/spec/targets/0/pool", "value", "9:a"),
     ("/spec/targets/1", "value", "10:p"), ("/spec/targets/1/weight", "value", "11:3"),
     ("/spec/targets/1/weight", "key", "11:weight"), ("/spec/match/models/2", "value", "12:n"),
     ("/metadata/labels/a~1b", "value", '5:"x"'),
     ("/spec/targets/1/nonsense", "value", "10:p"), ("/spec/nonsense/deeper", "value", "6:spec")],
)  # fmt: skip
def test_every_part_of_a_yaml_document_has_its_place(pointer: str, on: str, shown: str):
    assert place(ROUTE.replace("ö", "oe"), pointer, on=on) == shown


@pytest.mark.parametrize("layout", [{"indent": 2}, {"separators": (",", ":")}, {"indent": "\t"}])
def test_every_part_of_a_json_document_has_its_place(layout: dict[str, Any]):
    tenant = {
        "apiVersion": "headway/v1",
        "kind": "Tenant",
        "metadata": {"name": "a"},
        "spec": {"tiers": ["s"]},
    }
    route = {
        "apiVersion": "headway/v1", "kind": "Route", "metadata": {"name": "r", "labels": {"a/b": "é,]"}},
        "spec": {"rank": 10, "targets": [{"pool": "a"}, {"pool": "b", "weight": 3}]},
    }  # fmt: skip
    text = json.dumps(
        [route, tenant, route | {"kind": "Tier", "spec": {"band": 1}}], ensure_ascii=False, **layout
    )
    policy_set, diagnostics = read([SourceFile("t.json", text.encode())])
    assert diagnostics == []
    found = {d.kind: d for d in policy_set.documents}
    expected = {
        ("Route", "/spec/targets/1/weight"): "3",
        ("Route", "/spec/rank"): "10",
        ("Route", "/metadata/labels/a~1b"): '"é,]"',
        ("Route", "/spec/targets"): '"targets"',
        ("Tenant", "/spec/tiers/0"): '"s"',
        ("Tier", "/spec/band"): "1",
    }
    lines = text.split("\n")
    for (kind, pointer), shown in expected.items():
        at = found[kind].locate(pointer)
        assert lines[at.line - 1][at.column - 1 : at.end_column - 1] == shown


def test_positions_are_found_only_when_they_are_asked_for():
    policy_set, _ = read(quickstart_files())
    assert not any("marks" in document.positions.__dict__ for document in policy_set.documents)


@pytest.mark.parametrize(
    ("name", "tenants"),
    [
        ("t.yaml", TENANT.replace("kind: Tenant", "kind: tenant") % "a"),
        ("t.yaml", TENANT.replace("kind: Tenant", "kind: Customer") % "a"),
        ("t.yaml", TENANT.replace("kind: Tenant", "") % "a"),
        ("t.yaml", (TENANT % "a").replace("kind: Tenant", "kind: [Tenant")),
        ("t.json", '[{"kind": "Tenant", "metadata": {"name" : "a"}, "spec": {]'),
    ],
)
def test_what_refers_to_an_object_that_makes_no_sense_is_not_called_wrong_too(name, tenants):
    """One mistake is told once: the references are looked at when the object can be read."""
    quota = "apiVersion: headway/v1\nkind: Quota\nmetadata: {name: a}\nspec: {tenant: a}\n"
    policy_set, diagnostics = read([SourceFile(name, tenants.encode()), SourceFile("q.yaml", quota.encode())])
    assert [(d.code, d.location and d.location.file) for d in diagnostics] == [(diagnostics[0].code, name)]
    assert [d.code for d in check(policy_set, NEW_YEAR_2026)] == []


def test_what_cannot_be_read_is_remembered_by_name():
    policy_set, diagnostics = read([SourceFile("t.yaml", (TENANT % "a").replace("tiers", "tires").encode())])
    assert [d.code for d in diagnostics] == ["SPEC005"], "the misspelt field is not called missing too"
    assert [(ref.kind, ref.name) for ref in policy_set.broken] == [("Tenant", "a")]
    assert not policy_set.complete
    assert policy_set.documents == ()
