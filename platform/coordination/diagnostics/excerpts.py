"""How is a place in a file shown: its line, and marks under what is meant?"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

from coordination.diagnostics.values import Location

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML counts as the end of a line; excerpts must count as the positions do."""

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
WIDEST = 120
COLOURS = {
    "error": "1;31", "warning": "1;33", "info": "1;36", "place": "1;34", "bold": "1", "good": "1;32",
}  # fmt: skip


class Painter:
    """Colour for terminals, nothing for files and pipes."""

    def __init__(self, colour: bool) -> None:
        self.colour = colour

    def __call__(self, what: str, text: str) -> str:
        return f"\x1b[{COLOURS[what]}m{text}\x1b[0m" if self.colour else text


class Sources:
    """Lines of the files that were read, split only when something in them is shown."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts
        self._lines: dict[str, list[str]] = {}

    def line(self, file: str, number: int) -> str | None:
        if file not in self._lines:
            text = self._texts.get(file)
            if text is None:
                return None
            self._lines[file] = LINE_BREAK.split(text.removeprefix("\ufeff"))
        lines = self._lines[file]
        return lines[number - 1] if 0 < number <= len(lines) else None


class Margin:
    """The column of line numbers, as wide as the longest of one diagnostic's."""

    def __init__(self, digits: int, paint: Painter) -> None:
        self.blank = " " * digits
        self.bar = f"{self.blank} {paint('place', '|')}"
        self._digits, self._paint = digits, paint

    def arrow(self, sign: str, at: Location) -> str:
        """``--> file:line:column``; terminals and editors make a link of it."""
        blank = self.blank if sign == "-->" else self.blank + " "
        return f"{blank}{self._paint('place', sign)} {printable(at.file)}:{at.line}:{at.column}"

    def numbered(self, line: int, text: str) -> str:
        number = str(line).rjust(self._digits)
        return f"{self._paint('place', number)} {self._paint('place', '|')} {text}"

    def item(self, what: str, text: str) -> str:
        """``= note: ...``"""
        return f"{self.blank} {self._paint('place', '=')} {self._paint('bold', what)}: {printable(text)}"


def excerpt(
    at: Location, sources: Sources, margin: Margin, *, mark: str, paint: Painter, colour: str, label: str = ""
) -> Iterator[str]:
    """The line of a place with marks under it, and what is said of it; nothing if it was not kept."""
    line = sources.line(at.file, at.line)
    if line is None:
        return
    last = at.end_column if at.end_line == at.line else len(line) + 1
    start = max(0, at.column - 1 - WIDEST // 2) if len(line) > WIDEST else 0
    shown = line[start : start + WIDEST]
    before = line[start : at.column - 1]
    marked = line[at.column - 1 : min(last - 1, start + WIDEST)]
    pad = "".join("\t" if c == "\t" else " " * width(c) for c in before)
    marks = mark * max(1, sum(width(c) for c in marked))
    yield margin.bar
    yield margin.numbered(at.line, printable(shown))
    yield f"{margin.bar} {pad}{paint(colour, marks + (f' {printable(label)}' if label else ''))}"


def printable(text: str) -> str:
    """Text without anything that could steer a terminal or reorder what is read."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def width(character: str) -> int:
    """Columns of a terminal one character takes: 0, 1 or 2."""
    if character < "\u0300":
        return 1
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
