"""How does a person read diagnostics? Message, source excerpt, caret, notes, remedy."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from coordination.diagnostics.values import Diagnostic, Location, count

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What YAML counts as the end of a line; excerpts must count as the positions do."""

UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
WIDEST = 120
COLOURS = {"error": "1;31", "warning": "1;33", "info": "1;36", "place": "1;34", "bold": "1"}


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


def render_text(diagnostics: Sequence[Diagnostic], texts: Mapping[str, str], *, colour: bool = False) -> str:
    """Every diagnostic, then a one-line summary. ``texts`` maps file names to what they hold."""
    paint, sources = Painter(colour), Sources(texts)
    parts = ["\n".join(_render(d, sources, paint)) + "\n" for d in diagnostics]
    return "\n".join([*parts, summary_line(diagnostics, paint)]) + "\n"


def summary_line(diagnostics: Sequence[Diagnostic], paint: Painter) -> str:
    counts = count(diagnostics)
    said = [
        paint(severity, f"{n} {severity if n == 1 or severity == 'info' else severity + 's'}")
        for severity, n in counts.items()
        if n
    ]
    return "found " + ", ".join(said) if said else "no problems found"


def _render(diagnostic: Diagnostic, sources: Sources, paint: Painter) -> Iterator[str]:
    severity = diagnostic.severity
    yield paint(severity, f"{severity}[{diagnostic.code}]") + paint(
        "bold", f": {printable(diagnostic.message)}"
    )
    at = diagnostic.location
    margin = " " * len(str(at.line if at else 0))
    bar = margin + " " + paint("place", "|")
    if at is not None:
        yield from _excerpt(at, sources, paint, severity)
    for related in diagnostic.related:
        where = related.location
        place = f"{where.file}:{where.line}:{where.column}"
        yield f"{margin} {paint('place', ':::')} {place}: {printable(related.message)}"
    if at is not None and (diagnostic.notes or diagnostic.fix or diagnostic.related):
        yield bar
    for note in diagnostic.notes:
        yield f"{margin} {paint('place', '=')} {paint('bold', 'note')}: {printable(note)}"
    if diagnostic.fix is not None:
        yield f"{margin} {paint('place', '=')} {paint('bold', 'fix')}: {printable(diagnostic.fix.title)}"
    yield f"{margin} {paint('place', '=')} {paint('bold', 'help')}: {diagnostic.help_url}"


def _excerpt(at: Location, sources: Sources, paint: Painter, severity: str) -> Iterator[str]:
    margin = " " * len(str(at.line))
    bar = paint("place", "|")
    yield f"{margin}{paint('place', '-->')} {at.file}:{at.line}:{at.column}"
    line = sources.line(at.file, at.line)
    if line is None:
        return
    last = at.end_column if at.end_line == at.line else len(line) + 1
    start = max(0, at.column - 1 - WIDEST // 2) if len(line) > WIDEST else 0
    shown = line[start : start + WIDEST]
    before = line[start : at.column - 1]
    marked = line[at.column - 1 : min(last - 1, start + WIDEST)]
    pad = "".join("\t" if c == "\t" else " " * width(c) for c in before)
    carets = "^" * max(1, sum(width(c) for c in marked))
    yield f"{margin} {bar}"
    yield f"{paint('place', str(at.line))} {bar} {printable(shown)}"
    yield f"{margin} {bar} {pad}{paint(severity, carets)}"


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
