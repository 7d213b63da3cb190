"""What does a document look like before it is understood? The tree YAML and JSON both give.

Mappings, lists, text, whole numbers, exact decimals, booleans and nothing. No floats: a fraction
keeps every digit its author wrote.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeAlias

Plain: TypeAlias = dict[str, "Plain"] | list["Plain"] | str | int | Decimal | bool | None

Path: TypeAlias = tuple["Path", str | int] | None
"""A place in a tree as a linked list from leaf to root: cheap to extend, rendered only when reported."""

SHOWN = 40


def pointer(path: Path) -> str:
    """The JSON pointer (RFC 6901) of a path."""
    steps: list[str] = []
    while path is not None:
        path, step = path
        steps.append(str(step).replace("~", "~0").replace("/", "~1"))
    return "".join("/" + step for step in reversed(steps))


def describe(value: Plain) -> str:
    """A value as a diagnostic names it: its type, and the value itself when that is short."""
    if value is None:
        return "nothing (null)"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"the number {quoted(str(value)) if abs(value) < 10**SHOWN else 'with too many digits'}"
    if isinstance(value, Decimal):
        return f"the number {quoted(str(value))}"
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "an empty text"
    return "a list" if isinstance(value, list) else "a mapping"


def quoted(text: str) -> str:
    """Text in backticks, shortened to what fits on a line."""
    return f"`{text if len(text) <= SHOWN else text[: SHOWN - 3] + '...'}`"
