"""SPEC001: the text is not well-formed YAML or JSON, so nothing in it could be read."""

from __future__ import annotations

from coordination.diagnostics import Rule
from coordination.spec.finding import Misread

RULE = Rule("SPEC001", "error", "Syntax")


def not_utf8(offset: int) -> Misread:
    return Misread(RULE, f"the file is not valid UTF-8: byte {offset + 1} cannot be read")


def control_character(character: str) -> Misread:
    return Misread(RULE, f"control character U+{ord(character):04X} is not allowed in a policy")


def malformed(problem: str, notes: tuple[str, ...] = ()) -> Misread:
    """``problem`` is the parser's own sentence."""
    return Misread(RULE, f"cannot be read: {problem}", notes=notes)


def not_an_object(what: str) -> Misread:
    return Misread(RULE, f"a document is a mapping with apiVersion, kind, metadata and spec; found {what}")
