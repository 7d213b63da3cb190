"""How do code scanners read diagnostics? As a SARIF 2.1.0 log with one run."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import msgspec

from coordination.diagnostics.values import Diagnostic, Location, ObjectRef, Related, Rule

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
LEVELS = {"error": "error", "warning": "warning", "info": "note"}
Json = dict[str, Any]


def render_sarif(diagnostics: Sequence[Diagnostic], rules: Iterable[Rule], *, version: str) -> str:
    """A log of every finding; ``rules`` are all that could have spoken, ``version`` is the tool's."""
    known = sorted(rules, key=lambda rule: rule.code)
    index = {rule.code: i for i, rule in enumerate(known)}
    driver = {
        "name": "headway",
        "semanticVersion": version,
        "rules": [_rule(rule) for rule in known],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "results": [_result(d, index) for d in diagnostics],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return msgspec.json.format(msgspec.json.encode(log), indent=2).decode()


def _rule(rule: Rule) -> Json:
    return {
        "id": rule.code,
        "shortDescription": {"text": rule.title},
        "help": {"text": f"headway explain {rule.code}"},
        "defaultConfiguration": {"level": LEVELS[rule.severity]},
    }


def _result(diagnostic: Diagnostic, index: dict[str, int]) -> Json:
    result: Json = {
        "ruleId": diagnostic.code,
        "level": LEVELS[diagnostic.severity],
        "message": {"text": "\n".join([diagnostic.message, *diagnostic.notes])},
        "partialFingerprints": {"headway/v1": _fingerprint(diagnostic)},
    }
    if diagnostic.code in index:
        result["ruleIndex"] = index[diagnostic.code]
    if diagnostic.location is not None:
        result["locations"] = [_location(diagnostic.location, diagnostic.object, diagnostic.json_pointer)]
    if diagnostic.related:
        result["relatedLocations"] = [_related(i, r) for i, r in enumerate(diagnostic.related)]
    if diagnostic.fix is not None:
        # A SARIF fix is a replacement of text; ours are patches of documents, so they travel beside it.
        result["properties"] = {"fix": msgspec.to_builtins(diagnostic.fix)}
    return result


def _location(at: Location, ref: ObjectRef | None, pointer: str = "") -> Json:
    location: Json = {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(at.file)},
            "region": {
                "startLine": at.line,
                "startColumn": at.column,
                "endLine": at.end_line,
                "endColumn": at.end_column,
            },
        }
    }
    if ref is not None:
        name = f"{ref.kind}/{ref.name}"
        location["logicalLocations"] = [
            {"name": ref.name, "fullyQualifiedName": name + pointer, "kind": "object"}
        ]
    return location


def _related(i: int, related: Related) -> Json:
    return {"id": i, "message": {"text": related.message}, **_location(related.location, related.object)}


def _fingerprint(diagnostic: Diagnostic) -> str:
    """The same finding keeps it when lines are inserted above: rule, object and place in the document."""
    ref = diagnostic.object
    told = [diagnostic.code, ref.kind if ref else "", ref.name if ref else "", diagnostic.json_pointer]
    if ref is None:
        told.append(diagnostic.message)
    return hashlib.sha256("\x00".join(told).encode("utf-8", "surrogatepass")).hexdigest()[:32]
