"""SPEC011: the document does not say ``apiVersion: headway/v1``, so its words may mean other things."""

from __future__ import annotations

import re

from coordination.diagnostics import Rule
from coordination.diagnostics.nearest import edits
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import Plain, describe

RULE = Rule("SPEC011", "error", "Unsupported apiVersion")
SUPPORTED = "headway/v1"
MEANT = re.compile(r"[a-z]*[/._ -]?v?1(?:\.0)?")
"""Other ways to write version 1. Another number is another language, however near it looks."""


def unsupported(value: Plain) -> Misread:
    word = value.strip().lower() if isinstance(value, str) else ""
    safe = bool(MEANT.fullmatch(word)) and edits(word, SUPPORTED, 3) <= 3
    return Misread(
        RULE,
        f"apiVersion must be `{SUPPORTED}`; found {describe(value)}",
        remedy=Remedy(f"write `{SUPPORTED}`", replace=SUPPORTED, safe=safe),
    )
