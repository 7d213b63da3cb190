"""SPEC006: a value of another type than the field takes (text for a list, a list for a number...)."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import Plain, describe

RULE = Rule("SPEC006", "error", "Wrong type")


def expected(what: str, value: Plain, *, remedy: Remedy | None = None) -> Misread:
    """``what`` is a noun phrase: "a whole number such as 300"."""
    return Misread(RULE, f"expected {what}, found {describe(value)}", remedy=remedy)
