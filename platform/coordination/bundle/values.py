"""How are the small values (root, pointer, manifest, directory) written, and read back strictly?"""

from __future__ import annotations

import re
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from coordination.bundle.refusals import Code, refuse
from coordination.program.canonical import MAX_INTEGER, NotCanonicalError, canonical_bytes, parse_canonical

Digest = Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}\Z")]
Name = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?\Z")]
"""Name of an environment or a ring, by the rule of the policy language."""
Instant = Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
"""Microseconds since 1970-01-01T00:00:00Z."""
Count = Annotated[int, Meta(ge=1, le=MAX_INTEGER)]

_T = TypeVar("_T", bound="Value")
_WHERE = re.compile(r" - at (?:`key` in )?`\$([^`]*)`\Z")
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")


class Value(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base: immutable, keyword-only, unknown fields refused."""


def encode(value: Value) -> bytes:
    """Canonical bytes; ``NotCanonicalError`` for an integer outside the domain."""
    return canonical_bytes(msgspec.to_builtins(value))


def decode(data: bytes, shape: type[_T], *, code: Code, file: str) -> _T:
    """``data`` as ``shape``: canonical bytes, the exact fields, every constraint kept.

    Raises ``RefusedError`` with ``code``, saying where.
    """
    try:
        parsed = parse_canonical(data)
    except NotCanonicalError as error:
        raise refuse(code, str(error), file=file) from None
    value = convert(parsed, shape, code=code, file=file)
    if encode(value) != data:
        raise refuse(code, "a field is written although it has its default", file=file)
    return value


def convert(parsed: object, shape: type[_T], *, code: Code, file: str) -> _T:
    """Parsed JSON as ``shape``; raises ``RefusedError`` with ``code``, saying where."""
    try:
        return msgspec.convert(parsed, shape)
    except msgspec.ValidationError as error:
        text = str(error)
        where = _WHERE.search(text)
        message = text[: where.start()] if where else text
        raise refuse(code, message, file=file, json_pointer=_pointer(where[1] if where else "")) from None


def _pointer(path: str) -> str:
    """``.keys[...].scopes[0]``, as the decoder says it, as a JSON pointer; ``*`` for a key it hides."""
    steps = (name or index for name, index in _STEP.findall(path))
    return "".join(f"/{'*' if step == '...' else step}" for step in steps)


def check(value: _T) -> _T:
    """A value built in code, held to the constraints that a reader would hold it to.

    Raises ``ValueError``: a caller's mistake, not somebody's bytes.
    """
    return msgspec.convert(msgspec.to_builtins(value), type(value))
