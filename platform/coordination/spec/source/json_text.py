"""How is JSON read: at the C decoder's speed, with its numbers exact and its repeated keys seen?

The standard decoder builds the tree. Only when something must be shown is the text read again, by a
small scanner that learns where everything stands.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

from coordination.spec.plain import Plain
from coordination.spec.rules import SPEC001_syntax, SPEC003_too_much, SPEC004_duplicate_key
from coordination.spec.source.marks import NOWHERE, Broken, Marks, Slip, Span
from coordination.spec.source.yaml_text import BREAK, DEEPEST, LONGEST_NUMBER

TOKEN = re.compile(r'[\s]*(?:([{}\[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}\[\],:"]+))', re.DOTALL)


def load(text: str, slips: list[Slip]) -> Plain:
    """The tree of a JSON text. Repeated keys go to ``slips``; raises ``Broken`` when malformed."""
    repeated = False

    def gather(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        made: dict[str, Any] = {}
        for key, value in pairs:
            made.setdefault(key, value)
        repeated = repeated or len(made) != len(pairs)
        return made

    try:
        tree: Plain = json.loads(
            text, object_pairs_hook=gather, parse_float=_fraction, parse_int=_whole, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        span = _span(text, error.pos, error.pos + 1)
        raise Broken(SPEC001_syntax.malformed(error.msg[:1].lower() + error.msg[1:]), span) from None
    except RecursionError:
        raise Broken(SPEC003_too_much.depth(DEEPEST), NOWHERE) from None
    if repeated:
        _scan(text, Marks(), slips)
    return tree


def marks_of(text: str) -> Marks:
    """Places of everything in a well-formed JSON text."""
    marks = Marks()
    _scan(text, marks, [])
    return marks


def _whole(text: str) -> Plain:
    return int(text) if len(text) <= LONGEST_NUMBER else text


def _fraction(text: str) -> Plain:
    number = Decimal(text) if len(text) <= LONGEST_NUMBER else None
    return number if number is not None and abs(number.adjusted()) < 10_000 else text


def _constant(text: str) -> Plain:
    return text


def _scan(text: str, marks: Marks, slips: list[Slip]) -> None:
    lines = _Lines(text)
    frames: list[tuple[str, bool]] = []
    keys: list[str | None] = [None]
    indices: list[int] = [0]
    expecting_key = False
    at = 0
    while (token := TOKEN.match(text, at)) is not None:
        at = token.end()
        sign = token[1]
        if sign is not None and sign in "}]":
            frames.pop()
            keys.pop()
            indices.pop()
        elif sign == ",":
            if frames and frames[-1][1]:
                expecting_key = True
            else:
                indices[-1] += 1
        elif sign == ":":
            expecting_key = False
        else:
            group = token.lastindex or 1
            span = lines.span(token.start(group), token.end(group))
            if expecting_key and group == 2:
                key = json.loads(token[2]).replace("~", "~0").replace("/", "~1")
                keys[-1] = where = f"{frames[-1][0]}/{key}"
                if where in marks.keys:
                    slips.append(Slip(SPEC004_duplicate_key.twice(json.loads(token[2])), span))
                marks.keys.setdefault(where, span)
                continue
            where = _where(frames, keys, indices)
            marks.values.setdefault(where, span if sign is None else marks.keys.get(where, span))
            if sign is None:
                marks.leaves.append(where)
            else:
                frames.append((where, sign == "{"))
                keys.append(None)
                indices.append(0)
                expecting_key = sign == "{"


def _where(frames: list[tuple[str, bool]], keys: list[str | None], indices: list[int]) -> str:
    if not frames:
        return ""
    pointer, mapping = frames[-1]
    return keys[-1] or "" if mapping else f"{pointer}/{indices[-1]}"


class _Lines:
    """Turns rising offsets into lines and columns in one sweep."""

    def __init__(self, text: str) -> None:
        self.breaks = [match.end() for match in BREAK.finditer(text)]
        self.next = 0

    def span(self, start: int, stop: int) -> Span:
        while self.next < len(self.breaks) and self.breaks[self.next] <= start:
            self.next += 1
        base = self.breaks[self.next - 1] if self.next else 0
        return Span(self.next, start - base, self.next, stop - base)


def _span(text: str, start: int, stop: int) -> Span:
    return _Lines(text[:stop]).span(start, stop)
