"""SPEC016: two fields of one block that exclude each other."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC016", "error", "Fields that exclude each other")


def between(field: str, other: str, why: str) -> Misread:
    """``field`` stands beside ``other``, which rules it out."""
    return Misread(
        RULE,
        f"{quoted(field)} does not go with {quoted(other)}",
        notes=(why,),
        remedy=Remedy(f"remove `{field}`", remove=True),
        on="key",
    )
