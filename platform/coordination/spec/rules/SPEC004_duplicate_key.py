"""SPEC004: the same key stands twice in one mapping, and only one of the two could win."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread
from coordination.spec.plain import quoted

RULE = Rule("SPEC004", "error", "Duplicate key")


def twice(key: str) -> Misread:
    return Misread(RULE, f"key {quoted(key)} stands twice in this mapping", on="key")
