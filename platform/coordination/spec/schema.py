"""How do editors and other programs know what a policy document may say? As JSON Schema (2020-12)."""

from __future__ import annotations

from typing import Any

from coordination.spec.declaration import notation_of
from coordination.spec.document import API_VERSION, Metadata
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Name, Schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema_of(kind: str) -> Schema:
    """The schema of one kind's documents. Raises ``KeyError`` for a kind the language lacks."""
    notation = NOTATIONS[kind]
    return {
        "$schema": DIALECT,
        "title": f"{API_VERSION} {kind}",
        "description": _about(kind),
        **_document({"const": kind}, _metadata(kind), notation.schema()),
    }


def schema_of_all() -> Schema:
    """The schema of a document of any kind: ``kind`` decides what the rest may say."""
    choices: list[dict[str, Any]] = [
        {
            "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
            "then": {"properties": {"metadata": _metadata(kind), "spec": {"$ref": f"#/$defs/{kind}"}}},
        }
        for kind in NOTATIONS
    ]
    return {
        "$schema": DIALECT,
        "title": f"{API_VERSION} policy document",
        **_document({"enum": list(NOTATIONS)}, {"type": "object"}, {"type": "object"}),
        "allOf": choices,
        "$defs": {kind: notation.schema() for kind, notation in NOTATIONS.items()},
    }


def _document(kind: Schema, metadata: Schema, spec: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": kind,
            "metadata": metadata,
            "spec": spec,
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
    }


def _metadata(kind: str) -> Schema:
    """Names differ: a Tenant's is a path."""
    schema = notation_of(Metadata).schema()
    name = {**schema["properties"]["name"], **Name(path=kind == "Tenant").schema()}
    return {**schema, "properties": {**schema["properties"], "name": name}}


def _about(kind: str) -> str:
    return (NOTATIONS[kind].block.__doc__ or "").strip()
