"""SPEC010: two documents of one kind and name that apply in the same environment."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread

RULE = Rule("SPEC010", "error", "Duplicate object")


def twice(kind: str, name: str, environment: str | None) -> Misread:
    where = f" in environment `{environment}`" if environment else ""
    return Misread(RULE, f"{kind} `{name}` is already defined{where}")
