"""How do the parts of the reader say that something is wrong, before it has a place in a file?"""

from __future__ import annotations

from typing import Literal

import msgspec

from coordination.diagnostics import Rule
from coordination.spec.plain import Path, Plain

MOST_FINDINGS = 100
"""In one document. Nobody reads more, and a stranger's file must not fill the memory."""


class Unset(msgspec.Struct, frozen=True):
    """Stands for "nothing to put there", since ``None`` is a value people write."""


UNSET = Unset()


class Remedy(msgspec.Struct, frozen=True):
    """What would mend it: rename the key, replace the value, remove it, or add a field to it."""

    title: str
    rename: str | None = None
    replace: Plain | Unset = UNSET
    remove: bool = False
    add: tuple[str, Plain] | None = None
    safe: bool = False
    """Whether it keeps what the author meant beyond doubt, so that a program may apply it."""


class Misread(Exception):
    """A value does not say what its place asks for. Raised by a notation, caught by the reader."""

    def __init__(
        self,
        rule: Rule,
        message: str,
        *,
        notes: tuple[str, ...] = (),
        remedy: Remedy | None = None,
        on: Literal["key", "value"] = "value",
    ) -> None:
        super().__init__(message)
        self.rule, self.message, self.notes, self.remedy, self.on = rule, message, notes, remedy, on


class Finding(msgspec.Struct, frozen=True):
    """A misreading and the place in the document's tree where it happened."""

    misread: Misread
    path: Path
