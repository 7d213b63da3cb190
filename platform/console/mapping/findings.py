"""What is said about a draft, and at which of its fields?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from coordination.diagnostics import Diagnostic
from coordination.spec import Document
from foundation.http import FieldError
from policies.mapping.findings import placed

_MISSING = re.compile(r"lacks `([^`]+)`\Z")


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding as a screen shows it."""

    pointer: str
    """JSON pointer into the draft; empty when it is about something else."""
    code: str
    severity: str
    message: str
    notes: tuple[str, ...] = ()
    """What shows it: the instant, the contributors, the request."""
    elsewhere: tuple[tuple[str, str, str], ...] = ()
    """(kind, name, sentence) of other objects that belong to the story."""

    @property
    def help_path(self) -> str:
        return f"docs/diagnostics/{self.code}.md"


def remark(found: Diagnostic, draft: Document | None) -> Remark:
    """A finding, put at the field of ``draft`` it is about or related to."""
    edited = {(draft.kind, draft.name): draft} if draft is not None else {}
    place = placed(found, edited)
    return Remark(
        pointer=at_field(place),
        code=found.code,
        severity=found.severity,
        message=place.message,
        notes=found.notes,
        elsewhere=tuple(
            (related.object.kind, related.object.name, related.message)
            for related in found.related
            if related.object is not None and (related.object.kind, related.object.name) not in edited
        ),
    )


def of_reading(found: Diagnostic) -> Remark:
    """What the reader says of a draft: at the draft's own field, whatever object it seems to be."""
    error = FieldError(found.json_pointer, found.code, found.message)
    return Remark(at_field(error), found.code, found.severity, found.message, found.notes)


def at_field(error: FieldError) -> str:
    """A missing field is reported where it should stand, which is where somebody fills it in."""
    missing = _MISSING.search(error.message) if error.code == "SPEC013" else None
    return f"{error.pointer}/{missing[1]}" if missing else error.pointer


def of_error(error: FieldError) -> Remark:
    return Remark(at_field(error), error.code, "error", error.message)


def by_pointer(remarks: Iterable[Remark]) -> dict[str, Sequence[Remark]]:
    found: dict[str, list[Remark]] = {}
    for each in remarks:
        found.setdefault(each.pointer, []).append(each)
    return {pointer: tuple(members) for pointer, members in found.items()}
