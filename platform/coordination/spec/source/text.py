"""Are a file's bytes text that a reviewer sees as it is read?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from coordination.spec.rules import SPEC001_syntax, SPEC015_hidden_direction
from coordination.spec.source.marks import Slip, Span
from coordination.spec.source.yaml_text import BREAK

LARGEST_FILE = 32 * 1024 * 1024
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x84\x86-\x9f\ufffe\uffff]")
ASCII_TEXT = bytes(range(32, 127)) + b"\t\n\r"
"""The characters of ASCII that are not ``CONTROL``."""
MOST = 20


def decode(data: bytes) -> tuple[str, list[Slip]]:
    """UTF-8 to text, without a byte-order mark; the place of the first byte that is not UTF-8."""
    try:
        return data.decode().removeprefix("\ufeff"), []
    except UnicodeDecodeError as error:
        readable = data[: error.start].decode()
        slip = Slip(SPEC001_syntax.not_utf8(error.start), _at(readable, len(readable)))
        return data.decode(errors="replace").removeprefix("\ufeff"), [slip]


def forbidden_characters(text: str) -> Iterator[Slip]:
    """Control characters (the first alone: what follows is binary), and hidden ones."""
    ascii_only = text.isascii()
    if ascii_only and not text.encode("ascii").translate(None, ASCII_TEXT):
        return  # as most files are; looking at each character would take an eighth of all reading
    control = CONTROL.search(text)
    if control is not None:
        yield Slip(SPEC001_syntax.control_character(control[0]), _at(text, control.start()))
        return
    if ascii_only:
        return
    for i, match in enumerate(SPEC015_hidden_direction.CHARACTERS.finditer(text)):
        if i == MOST:
            return
        yield Slip(SPEC015_hidden_direction.hidden(match[0]), _at(text, match.start()))


def _at(text: str, offset: int) -> Span:
    """The place of one character; reads the text before it, so it is for a few places only."""
    line, start = 0, 0
    for match in BREAK.finditer(text, 0, offset):
        line, start = line + 1, match.end()
    return Span(line, offset - start, line, offset - start + 1)
