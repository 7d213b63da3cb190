"""Which bytes stand for a value? RFC 8785 on a domain where it has no traps.

The domain: null, booleans, integers within ±(2^53 - 1), strings without lone surrogates, lists, and
objects with string keys. No floats (their spelling is where implementations disagree), no larger
integers (a JavaScript reader would round them, so two quotas would share one digest).
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
import orjson

MAX_INTEGER = 2**53 - 1
MAX_DEPTH = 64
"""Far above anything we write; keeps hostile nesting off the interpreter's stack."""

_BASIC = orjson.OPT_STRICT_INTEGER | orjson.OPT_PASSTHROUGH_SUBCLASS
_LAST_SAME_ORDER = "\ud7ff"
# Code point order and UTF-16 order agree for keys made of characters up to here: above lie the private
# use area and the astral planes, which UTF-16 sorts the other way round.

_STRUCTS = msgspec.json.Encoder(order="sorted")
_LONGEST = b"0" * len(str(MAX_INTEGER))
_DIGITS_ALIKE = bytes(ord("0") if chr(byte).isdigit() and byte < 128 else ord(" ") for byte in range(256))
"""Every digit a 0, all else blank."""


class NotCanonicalError(ValueError):
    """A value outside the domain, or bytes which are not the canonical bytes of what they say."""


def canonical_bytes(value: Any) -> bytes:
    """The one byte string of ``value``: UTF-8, no white space, keys sorted by UTF-16 code unit.

    Raises ``NotCanonicalError`` for anything outside the domain (see the module).
    """
    try:
        if _in_domain(value, MAX_DEPTH):
            return orjson.dumps(value, option=_BASIC | orjson.OPT_SORT_KEYS)
        return orjson.dumps(_reordered(value), option=_BASIC)
    except TypeError as error:  # orjson's refusal of lone surrogates
        raise NotCanonicalError(str(error)) from None


def canonical_bytes_by_members(value: Any, levels: int = 2) -> bytes:
    """``canonical_bytes``, but of so many levels of objects member by member: ten thousand of them in one
    call would hold up whoever else waits for the interpreter, for 4 ms."""
    if type(value) is not dict or not levels:
        return canonical_bytes(value)
    ordered = sorted(value.items(), key=lambda member: member[0].encode("utf-16-be", "surrogatepass"))
    members = [
        canonical_bytes(name) + b":" + canonical_bytes_by_members(item, levels - 1) for name, item in ordered
    ]
    return b"{" + b",".join(members) + b"}"


def record_bytes(record: msgspec.Struct) -> bytes:
    """``canonical_bytes`` of a struct whose declared types leave nothing to check but integers and keys.

    No floats, shallow, text keys by type. Most are ASCII, where code point order is UTF-16 order, and have
    no integer long enough to be outside the domain: of these the struct's own encoder makes the same bytes.
    """
    try:
        data = _STRUCTS.encode(record)
        if data.isascii() and _LONGEST not in data.translate(_DIGITS_ALIKE):
            return data
        data = orjson.dumps(msgspec.to_builtins(record), option=_BASIC | orjson.OPT_SORT_KEYS)
    except (TypeError, UnicodeEncodeError):  # canonical_bytes knows what to say of it
        return canonical_bytes(msgspec.to_builtins(record))
    return data if data.isascii() else canonical_bytes(msgspec.to_builtins(record))


def table_bytes(table: Mapping[str, str]) -> bytes:
    """``canonical_bytes`` of a flat table of texts."""
    data = orjson.dumps(table, option=_BASIC | orjson.OPT_SORT_KEYS)
    return data if data.isascii() else canonical_bytes(dict(table))


def parse_canonical(data: bytes) -> Any:
    """The value of ``data``, which must be exactly ``canonical_bytes`` of it.

    So duplicate keys, white space, other spellings of a number or a character are all refused with
    ``NotCanonicalError``: every byte of an accepted text is accounted for.
    """
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise NotCanonicalError(f"not JSON: {error}") from None
    if canonical_bytes(value) != data:
        raise NotCanonicalError("not in canonical form")
    return value


def sha256_digest(data: bytes) -> str:
    """``sha256:<64 lower-case hex digits>``, the way every digest is written."""
    return "sha256:" + sha256(data).hexdigest()


def _in_domain(value: Any, depth: int) -> bool:
    """Check ``value``; true if plain code point order sorts all its keys as UTF-16 would."""
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return True
    if kind is int:
        if -MAX_INTEGER <= value <= MAX_INTEGER:
            return True
        raise NotCanonicalError(f"integer {value} is beyond ±(2^53 - 1)")
    if depth == 0:
        raise NotCanonicalError(f"nested deeper than {MAX_DEPTH}")
    plain = True
    if kind is dict:
        for key, item in value.items():
            if type(key) is not str:
                raise NotCanonicalError(f"key {key!r} is not a string")
            if not key.isascii() and max(key) > _LAST_SAME_ORDER:
                plain = False
            if not _in_domain(item, depth - 1):
                plain = False
        return plain
    if kind is list or kind is tuple:
        for item in value:
            if not _in_domain(item, depth - 1):
                plain = False
        return plain
    raise NotCanonicalError(f"a {kind.__name__} has no canonical form")


def _reordered(value: Any) -> Any:
    if type(value) is dict:
        # surrogatepass: a lone surrogate must reach orjson, which refuses it by name.
        ordered = sorted(value.items(), key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))
        return {key: _reordered(item) for key, item in ordered}
    if type(value) in (list, tuple):
        return [_reordered(item) for item in value]
    return value
