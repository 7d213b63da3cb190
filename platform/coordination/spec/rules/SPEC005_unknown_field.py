"""SPEC005: the field does not exist there; most often it is misspelt."""

from __future__ import annotations

from collections.abc import Container

from coordination.diagnostics import Nearest, Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC005", "error", "Unknown field")


def unknown(field: str, owner: str, known: list[str], taken: Container[str]) -> Misread:
    """``owner`` names what the field was written in; ``taken`` are fields already written there."""
    free = Nearest(name for name in known if name not in taken)
    near = free.to(field)
    message = f"{owner} has no field {quoted(field)}"
    if near is not None:
        return Misread(
            RULE,
            f"{message}; did you mean {quoted(near)}?",
            remedy=Remedy(f"rename it to `{near}`", rename=near, safe=free.surely(field) == near),
            on="key",
        )
    listing = ", ".join(known)
    return Misread(
        RULE,
        message,
        notes=(f"Its fields: {listing}.",) if known else (),
        remedy=Remedy("remove it", remove=True),
        on="key",
    )
