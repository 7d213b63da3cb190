"""How does a rule between objects say what it found? One function, so that all say it alike."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Protocol

from coordination.compiler.catalogue import Catalogue
from coordination.diagnostics import Diagnostic, Fix, Related, Rule
from coordination.spec import Document
from coordination.spec.plain import Path, pointer


class RuleModule(Protocol):
    """What every module in ``compiler/rules`` offers."""

    RULE: Rule
    NEEDS_WHOLE: bool
    """Whether its finding could be due to a document that could not be read; it then stays silent."""

    def check(self, catalogue: Catalogue) -> Iterator[Diagnostic]: ...


def report(
    rule: Rule,
    document: Document,
    path: Path | str,
    message: str,
    *,
    on: Literal["key", "value"] = "value",
    related: tuple[Related, ...] = (),
    notes: tuple[str, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """A finding at a place of a document."""
    where = path if isinstance(path, str) else pointer(path)
    return Diagnostic(
        code=rule.code,
        severity=rule.severity,
        message=message,
        location=document.locate(where, on),
        object=document.ref,
        json_pointer=where,
        related=related,
        notes=notes,
        fix=fix,
        help_url=rule.help_url,
    )


def see(document: Document, path: Path | str, message: str) -> Related:
    """Another place that belongs to a finding."""
    return Related(message, document.locate(path), document.ref)


def replace(title: str, path: Path | str, value: str | int) -> Fix:
    """A remedy that puts another value in a place."""
    where = path if isinstance(path, str) else pointer(path)
    return Fix(title, "unsafe", ({"op": "replace", "path": where, "value": value},))


def listed(names: list[str], most: int = 5) -> str:
    """Names in backticks, the tail counted: ``a``, ``b`` and 7 more."""
    shown = ", ".join(f"`{name}`" for name in names[:most])
    return f"{shown} and {len(names) - most:,} more" if len(names) > most else shown
