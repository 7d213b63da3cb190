"""SPEC009: a name that is not a name: other letters than a-z, 0-9, dot and dash, or too long."""

from __future__ import annotations

import re
import unicodedata

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread, Remedy
from coordination.spec.plain import quoted

RULE = Rule("SPEC009", "error", "Bad name")
SHAPE = "lower-case letters a-z, digits, `.` and `-`, at most 63, beginning and ending with a letter or digit"


def not_a_name(written: str, shape: str = SHAPE, *, suggest: bool = True) -> Misread:
    """Says which character is at fault, by its code point when it only looks like a letter."""
    notes = [f"A name is {shape}."]
    for character in written:
        if not character.isascii():
            known = unicodedata.name(character, "without a name")
            notes.insert(0, f"It holds U+{ord(character):04X} ({known}), which is not an ASCII letter.")
            break
    mended = re.sub(r"[^a-z0-9./-]+", "-", written.lower()).strip(".-/")[:63]
    remedy = None
    if suggest and mended and mended != written and written.isascii():
        remedy = Remedy(f"name it {quoted(mended)}", replace=mended)
    return Misread(
        RULE,
        f"{quoted(written)} is not a name" if written else "a name is empty",
        notes=tuple(notes),
        remedy=remedy,
    )
