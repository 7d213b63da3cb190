"""SPEC014: a word that is not among those the field takes."""

from __future__ import annotations

from coordination.diagnostics import Nearest, Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC014", "error", "Unknown choice")


def unknown(written: str, choices: list[str]) -> Misread:
    known = Nearest(choices)
    near = known.to(written)
    safe = near is not None and known.surely(written) == near
    return Misread(
        RULE,
        f"{quoted(written)} is not one of {', '.join(choices)}"
        + (f"; did you mean `{near}`?" if near else ""),
        remedy=Remedy(f"write `{near}`", replace=near, safe=safe) if near else None,
    )


def unknown_among_many(written: str, what: str, near: str | None) -> Misread:
    """For sets too large to list."""
    return Misread(
        RULE,
        f"{quoted(written)} is not {what}" + (f"; did you mean `{near}`?" if near else ""),
        remedy=Remedy(f"write `{near}`", replace=near) if near else None,
    )
