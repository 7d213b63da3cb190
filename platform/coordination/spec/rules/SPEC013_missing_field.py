"""SPEC013: a field that must be given is not there."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC013", "error", "Missing field")


def missing(field: str, owner: str, doc: str, *, added: str | None = None) -> Misread:
    """``added`` is the value that can be put there without asking, when only one is possible."""
    remedy = Remedy(f"add `{field}: {added}`", add=(field, added), safe=True) if added else None
    return Misread(
        RULE, f"{owner} lacks {quoted(field)}", notes=(doc,) if doc else (), remedy=remedy, on="key"
    )
