"""How does what the compiler found reach whoever sent the document: at which field, in which words?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from coordination.diagnostics import Diagnostic, Location
from coordination.spec import Document
from foundation.http import FieldError, Invalid


def as_json(diagnostics: Iterable[Diagnostic]) -> list[dict[str, Any]]:
    """In the shape ``headway check --format json`` prints."""
    return [msgspec.to_builtins(found) for found in diagnostics]


def unreadable(diagnostics: Sequence[Diagnostic]) -> Invalid:
    """What cannot be read as the policy language, error by error."""
    errors = [
        FieldError(found.json_pointer, found.code, found.message) for found in diagnostics if _is_error(found)
    ]
    return Invalid(
        "invalid_document",
        "The document is not in the policy language.",
        errors=errors,
        extra={"diagnostics": as_json(diagnostics)},
    )


def unsound(diagnostics: Sequence[Diagnostic], edited: Mapping[tuple[str, str], Document]) -> Invalid:
    """A policy that would not hold together, with each error at a field of what was edited.

    ``edited`` holds the new documents by (kind, name). A finding about another object (the
    reservation that no longer fits beside the new one) is shown at the edited place it is related to,
    or, when there is none, with an empty pointer and the object's name in front.
    """
    errors = [placed(found, edited) for found in diagnostics if _is_error(found)]
    only = next(iter(edited)) if len(edited) == 1 else ("", "")
    return Invalid(
        "unsound_policy",
        "With this change the policy would not hold together.",
        kind=only[0],
        name=only[1],
        errors=errors,
        extra={"diagnostics": as_json(diagnostics)},
    )


def _is_error(found: Diagnostic) -> bool:
    return found.severity == "error"


def placed(found: Diagnostic, edited: Mapping[tuple[str, str], Document]) -> FieldError:
    """A finding at the field of what was edited that it is about or related to."""
    about = found.object
    if about is None or (about.kind, about.name) in edited:
        return FieldError(found.json_pointer, found.code, found.message)
    for related in found.related:
        document = edited.get((related.object.kind, related.object.name)) if related.object else None
        if document is not None:
            return FieldError(_pointer_at(document, related.location), found.code, found.message)
    return FieldError("", found.code, f"{about.kind} `{about.name}`: {found.message}")


def _pointer_at(document: Document, place: Location) -> str:
    """The JSON pointer of the part of ``document`` that stands at ``place``; empty when none does."""
    positions = document.positions
    for spans in (positions.marks.values, positions.marks.keys):
        for where, span in spans.items():
            if positions.place(span) == place:
                return where
    return ""
