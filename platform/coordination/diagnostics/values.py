"""What can be said about something a person wrote, and where does it stand?

A diagnostic is a value: rules make them, renderers show them, the API returns them. Nothing here is
raised. Positions are 1-based; columns count characters, and an end is exclusive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

import msgspec

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")


class Rule(msgspec.Struct, frozen=True):
    """A stable code, how grave it is, and its title. A code is never reused."""

    code: str
    severity: Severity
    title: str

    @property
    def help_url(self) -> str:
        """The rule's page, relative to the project's root."""
        return f"docs/diagnostics/{self.code}.md"


class Location(msgspec.Struct, frozen=True):
    """A stretch of one file."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int


class ObjectRef(msgspec.Struct, frozen=True):
    """The policy object that is meant."""

    kind: str
    name: str


class Related(msgspec.Struct, frozen=True):
    """Another place that belongs to the story."""

    message: str
    location: Location
    object: ObjectRef | None = None


class Fix(msgspec.Struct, frozen=True):
    """A remedy as a JSON patch (RFC 6902) on the object's document.

    ``safe`` keeps the author's meaning, ``unsafe`` may change it, ``display`` is a hint only.
    """

    title: str
    applicability: Literal["safe", "unsafe", "display"]
    patch: tuple[dict[str, Any], ...] = ()


class Diagnostic(msgspec.Struct, frozen=True):
    """One finding: what is wrong, where, what shows it, and what would mend it."""

    code: str
    severity: Severity
    message: str
    location: Location | None
    object: ObjectRef | None
    json_pointer: str
    related: tuple[Related, ...]
    notes: tuple[str, ...]
    fix: Fix | None
    help_url: str


def reading_order(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    """Sort key: as a reader meets them, file by file, from the top."""
    at = diagnostic.location
    place = (at.file, at.line, at.column) if at else ("", 0, 0)
    return (*place, diagnostic.code, diagnostic.message)


def in_reading_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    return sorted(diagnostics, key=reading_order)


def count(diagnostics: Iterable[Diagnostic]) -> dict[Severity, int]:
    """How many of each severity; all three keys are always there."""
    found = Counter(d.severity for d in diagnostics)
    return {severity: found[severity] for severity in SEVERITIES}


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity == "error" for d in diagnostics)
