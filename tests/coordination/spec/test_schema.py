"""The JSON Schema and the reference pages: from the same declarations as the reader, and never against it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from coordination.spec import KINDS, read
from coordination.spec.declaration import fields_of
from coordination.spec.formatting import to_yaml
from coordination.spec.reference import pages
from coordination.spec.schema import schema_of, schema_of_all
from coordination.spec.source import yaml_text
from tests.support.policies import ROOT, quickstart, quickstart_files

ALL = jsonschema.Draft202012Validator(schema_of_all())


def trees() -> list[Any]:
    return [
        json.loads(json.dumps(yaml_text.compose(stretch, []), default=float))
        for file in quickstart_files()
        for stretch, _ in yaml_text.documents(file.text.decode())
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_a_sound_schema(kind: str):
    schema = schema_of(kind)
    jsonschema.Draft202012Validator.check_schema(schema)
    for field in fields_of(KINDS[kind]):
        assert schema["properties"]["spec"]["properties"][field.name]["description"]


def test_what_the_reader_takes_the_schema_takes():
    for tree in trees():
        jsonschema.Draft202012Validator(schema_of(tree["kind"])).validate(tree)
        ALL.validate(tree)
    for document in quickstart().documents:
        ALL.validate(document.plain())


@pytest.mark.parametrize(
    ("of", "value"),
    [("band", "3k"), ("queue", {"max_wait": "soon"}), ("queue", {"max_dept": 3}), ("overflow", "explode"),
     ("service_tier", "fast")],
)  # fmt: skip
def test_an_editor_sees_a_mistake_before_the_reader_does(of: str, value: Any):
    tree = next(tree for tree in trees() if tree["kind"] == "Tier")
    spoiled = {**tree, "spec": {**tree["spec"], of: value}}
    assert list(ALL.iter_errors(spoiled))
    assert list(jsonschema.Draft202012Validator(schema_of("Tier")).iter_errors(spoiled))


def test_a_tenants_name_is_a_path_and_no_other_name_is():
    tree = next(tree for tree in trees() if tree["kind"] == "Tenant")
    tree["metadata"]["name"] = "acme/search"
    ALL.validate(tree)
    tree["kind"] = "Tier"
    tree["spec"] = {"band": 1}
    assert list(ALL.iter_errors(tree))


def test_the_reference_pages_are_current():
    """After a change of a kind: `headway schema --pages docs/reference/kinds`."""
    policy_set, _ = read(quickstart_files())
    examples: dict[str, str] = {}
    for document in policy_set.documents:
        examples.setdefault(document.kind, to_yaml(document))
    folder = ROOT / "docs" / "reference" / "kinds"
    written = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert written == pages(examples)


def test_every_field_says_something_in_the_reference():
    for text in pages({}).values():
        for line in text.splitlines():
            if line.startswith("| `"):
                assert all(cell.strip() for cell in (line.split(" | ")[1], line.split(" | ")[-1])), line
