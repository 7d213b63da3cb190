"""SPEC013: a field that must be given is not there."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread
from coordination.spec.plain import quoted

RULE = Rule("SPEC013", "error", "Missing field")


def missing(field: str, owner: str, doc: str) -> Misread:
    return Misread(RULE, f"{owner} lacks {quoted(field)}", notes=(doc,) if doc else (), on="key")
