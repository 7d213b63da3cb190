"""How does a documentation page read in a terminal? Headings, code, tables and paragraphs, no more.

Our own pages use a small part of Markdown; laying it out here costs a millisecond, where a general
renderer takes longer to import than the whole command to run.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

WIDTH = 100
LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
CODE = re.compile(r"`([^`]+)`")
RULER = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
STYLES = {"title": "1;36", "heading": "1", "code": "36"}


def render(page: str, *, colour: bool) -> str:
    """A page as lines of at most 100 columns, ending in a line break."""
    return "\n".join(_blocks(page.rstrip("\n").split("\n"), colour)) + "\n"


def _blocks(lines: list[str], colour: bool) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        stop = at + 1
        if line.startswith("```"):
            while stop < len(lines) and not lines[stop].startswith("```"):
                stop += 1
            yield from (_styled("code", f"    {inner}".rstrip(), colour) for inner in lines[at + 1 : stop])
            stop += 1
        elif line.startswith("#"):
            level = len(line) - len(line.lstrip("#"))
            yield _styled("title" if level == 1 else "heading", _plain(line.lstrip("# ")), colour)
        elif line.startswith("|"):
            while stop < len(lines) and lines[stop].startswith("|"):
                stop += 1
            yield from _table([row for row in lines[at:stop] if not RULER.fullmatch(row)], colour)
        elif not line.strip():
            yield ""
        else:
            while stop < len(lines) and lines[stop].strip() and lines[stop][0] not in "#|`-":
                stop += 1
            yield from _paragraph(lines[at:stop], colour)
        at = stop


def _paragraph(lines: list[str], colour: bool) -> Iterator[str]:
    text = _plain(" ".join(line.strip() for line in lines))
    hanging = "  " if text.startswith("- ") else ""
    for line in textwrap.wrap(text, WIDTH, subsequent_indent=hanging, break_on_hyphens=False):
        yield CODE.sub(lambda m: _styled("code", m[1], True), line) if colour else line


def _table(rows: list[str], colour: bool) -> Iterator[str]:
    cells = [[_plain(cell.strip()) for cell in row.strip("|").split("|")] for row in rows]
    columns = max(map(len, cells))
    cells = [[*row, *[""] * (columns - len(row))] for row in cells]
    widths = [max(len(row[i]) for row in cells) for i in range(columns)]
    for n, row in enumerate(cells):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield _styled("heading", line, colour) if n == 0 else line


def _plain(text: str) -> str:
    """Links as their words."""
    return LINK.sub(r"\1", text)


def _styled(style: str, text: str, colour: bool) -> str:
    return f"\x1b[{STYLES[style]}m{text}\x1b[0m" if colour and text else text
