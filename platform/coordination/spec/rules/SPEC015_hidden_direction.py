"""SPEC015: invisible characters that reorder what a reviewer sees (CVE-2021-42574, "Trojan Source")."""

from __future__ import annotations

import re
import unicodedata

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread

RULE = Rule("SPEC015", "error", "Hidden text direction")
CHARACTERS = re.compile("[\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]")
"""Direction marks and zero-width characters. A byte-order mark counts except at the very start."""


def hidden(character: str) -> Misread:
    return Misread(
        RULE,
        f"invisible character U+{ord(character):04X} ({unicodedata.name(character, 'unnamed')})",
        notes=("What a reviewer sees may differ from what is read here.",),
    )
