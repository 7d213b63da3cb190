"""How does a pull request on GitHub show diagnostics? One workflow command a finding, at its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from coordination.diagnostics.as_text import summary
from coordination.diagnostics.excerpts import Painter, printable
from coordination.diagnostics.values import Diagnostic

LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def render_github(diagnostics: Sequence[Diagnostic]) -> str:
    """``::error file=...,line=...::message`` for each, gravest first: GitHub shows ten of a severity.

    Notes and the remedy go into the annotation; the last lines are for the log.
    """
    gravest_first = sorted(diagnostics, key=lambda d: list(LEVELS).index(d.severity))
    return "\n".join([*map(_command, gravest_first), *summary(diagnostics, Painter(False))]) + "\n"


def _command(diagnostic: Diagnostic) -> str:
    said = "".join(f"{name}={_property(value)}," for name, value in _properties(diagnostic)).rstrip(",")
    return f"::{LEVELS[diagnostic.severity]} {said}::{_data(_text(diagnostic))}"


def _properties(diagnostic: Diagnostic) -> Iterator[tuple[str, str]]:
    at = diagnostic.location
    if at is not None:
        yield "file", at.file
        yield "line", str(at.line)
        if at.end_line == at.line:  # columns of an annotation over several lines are refused
            yield "col", str(at.column)
            yield "endColumn", str(max(at.column, at.end_column - 1))
        yield "endLine", str(at.end_line)
    yield "title", diagnostic.code


def _text(diagnostic: Diagnostic) -> str:
    fix = (f"Fix: {diagnostic.fix.title}.",) if diagnostic.fix else ()
    return "\n".join([diagnostic.message, *diagnostic.notes, *fix])


def _data(text: str) -> str:
    """Escaped as the runner unescapes it; a message cannot begin a command of its own."""
    kept = "\n".join(map(printable, text.split("\n")))
    return kept.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
