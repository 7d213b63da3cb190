"""SPEC007: a number without its unit, or with another one. Every field has exactly one unit."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC007", "error", "Unit missing or wrong")


def missing(written: str, unit: str, example: str, *, mended: str | None = None) -> Misread:
    """``mended`` is the value with the unit the author most likely meant."""
    remedy = Remedy(f"write {quoted(mended)}", replace=mended) if mended is not None else None
    return Misread(RULE, f"{quoted(written)} lacks its unit: {unit}, as in {quoted(example)}", remedy=remedy)


def wrong(written: str, unit: str, example: str) -> Misread:
    return Misread(RULE, f"{quoted(written)} is not in {unit}; write it as in {quoted(example)}")
