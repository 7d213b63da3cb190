"""SPEC012: a kind of object that does not exist in the language."""

from __future__ import annotations

from coordination.diagnostics import Nearest, Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import Plain, describe

RULE = Rule("SPEC012", "error", "Unsupported kind")


def unsupported(value: Plain, kinds: list[str]) -> Misread:
    known = Nearest(kinds)
    near = known.to(value) if isinstance(value, str) else None
    return Misread(
        RULE,
        f"{describe(value)} is not a kind" + (f"; did you mean `{near}`?" if near else ""),
        notes=(f"Kinds: {', '.join(kinds)}.",),
        remedy=Remedy(f"write `{near}`", replace=near, safe=known.surely(str(value)) == near)
        if near
        else None,
    )
