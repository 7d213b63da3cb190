"""SPEC011: the document does not say ``apiVersion: headway/v1``, so its words may mean other things."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import Plain, describe

RULE = Rule("SPEC011", "error", "Unsupported apiVersion")
SUPPORTED = "headway/v1"


def unsupported(value: Plain) -> Misread:
    return Misread(
        RULE,
        f"apiVersion must be `{SUPPORTED}`; found {describe(value)}",
        remedy=Remedy(f"write `{SUPPORTED}`", replace=SUPPORTED),
    )
