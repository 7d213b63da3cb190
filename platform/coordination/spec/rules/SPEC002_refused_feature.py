"""SPEC002: the file uses a part of YAML that policies do without.

Anchors and aliases let ten lines grow into a gigabyte and hide where a value comes from; tags turn
data into types; merge keys make the order of a mapping matter. A policy says what it means in place.
"""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread
from coordination.spec.plain import quoted

RULE = Rule("SPEC002", "error", "YAML feature that policies do without")


def anchor(name: str) -> Misread:
    return Misread(RULE, f"anchor {quoted('&' + name)}: policies do without anchors and aliases")


def alias(name: str) -> Misread:
    return Misread(RULE, f"alias {quoted('*' + name)}: policies do without aliases; write the value here")


def tag(name: str) -> Misread:
    return Misread(RULE, f"tag {quoted(name)}: policies do without tags; a field's type is its own")


def directive(line: str) -> Misread:
    return Misread(RULE, f"{quoted(line)}: policies do without directives")


def merge_key() -> Misread:
    return Misread(RULE, "merge key `<<`: policies do without it; write the fields here", on="key")


def complex_key(what: str) -> Misread:
    return Misread(RULE, f"a key must be plain text; found {what}")


def inner_document() -> Misread:
    return Misread(RULE, "a second document begins here without `---` at the start of a line")
