"""How is one member of a JSON object set while every other byte stays the engine's?

``set_member`` works on the text. The member is found as a whole string token at the top level; if it
stands there, its value is replaced, otherwise it is added as the last member. Nothing is re-encoded.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s"{}\[\]:,]+', re.DOTALL)


def set_member(text: bytes, close: int, name: bytes, value: bytes) -> bytes:
    """``text`` with ``name`` (quoted, e.g. ``b'"service_tier"'``) set to ``value`` (JSON).

    ``close``: index of the closing brace of the object, whose opening brace is the first in ``text``;
    what precedes and follows the object is kept. Text that is not such an object comes back unchanged.
    """
    if close < 0:
        return text
    if text.find(name) >= 0:  # `in` first asks whether a name is a number, which takes ten times as long
        span = value_span(text, name)
        if span is not None:
            return text[: span[0]] + value + text[span[1] :]
    before = text[:close]
    last = before.rstrip()[-1:]
    if not last:
        return text
    comma = b"" if last == b"{" else b","
    return b"%b%b%b:%b%b" % (before, comma, name, value, text[close:])


def value_span(text: bytes, name: bytes) -> tuple[int, int] | None:
    """Where the value of the top-level member ``name`` begins and ends, if it stands there."""
    depth = 0
    is_key = found = False
    start = -1
    first = text.find(b"{")
    if first < 0:
        return None
    for token in _TOKEN.finditer(text, first):
        sign = token[0]
        if sign in b"}]":
            depth -= 1
            if depth == 0:
                return (start, _before(text, token.start())) if start >= 0 else None
        elif depth == 1 and sign == b",":
            if start >= 0:
                return start, _before(text, token.start())
            is_key = True
            continue
        elif depth == 1 and sign == b":" and found:
            found = False
            start = -2
            continue
        if start == -2:
            start = token.start()
        if depth == 1 and is_key and sign == name:
            found = True
        is_key = False
        if sign in b"{[":
            depth += 1
            is_key = depth == 1
    return None


def _before(text: bytes, end: int) -> int:
    """``end`` moved left over blanks."""
    while text[end - 1] in b" \t\r\n":
        end -= 1
    return end
