"""How is JSON read: at the C decoder's speed, with its numbers exact and its repeated keys seen?

A file is decoded in one call, and so is believed if encoding what came out gives its text again but for the
blanks and for how characters are escaped: then no key was repeated and no number rounded. Any other goes to
the standard decoder, object by object, which knows where it is. Only when something must be shown is the text
read again, by a small scanner that learns where everything stands.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from coordination.spec.plain import Plain
from coordination.spec.rules import SPEC001_syntax, SPEC003_too_much, SPEC004_duplicate_key
from coordination.spec.source.marks import Broken, Marks, Slip, Span
from coordination.spec.source.yaml_text import BREAK, DEEPEST, LONGEST_NUMBER, plain_breaks

BLANK = re.compile(r"[ \t\n\r]*")
ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)", re.DOTALL)
TOKEN = re.compile(r'[\s]*(?:([{}\[\],:])|("(?:[^"\\]|\\.)*")|([^\s{}\[\],:"]+))', re.DOTALL)


ESCAPED = re.compile(rb"\\u[dD][89abAB]..\\u....|\\u....|\\.")
"""A character that is escaped, be it in two halves."""
NUMBER_TOO_LONG = b"0" * LONGEST_NUMBER
DIGITS_ALIKE = bytes.maketrans(b"123456789", b"0" * 9)


class Item(NamedTuple):
    """An object of a file, the text it was read from, and where that begins."""

    tree: Plain
    text: str
    line: int
    column: int


def trees_of(data: bytes) -> list[Plain] | None:
    """The objects of a file; ``None`` for one that must be read with more care, by ``items``."""
    try:
        tree = _QUICK.decode(data)
        same = _EXACT.encode(tree)
        written = msgspec.json.format(data, indent=-1)
        if same != written and (b"\\" not in written or same != ESCAPED.sub(_plainly, written)):
            return None
        if NUMBER_TOO_LONG in same.translate(DIGITS_ALIKE):
            return None
    except (msgspec.MsgspecError, UnicodeDecodeError, ArithmeticError, RecursionError):
        return None
    return tree if isinstance(tree, list) else [tree]


def _plainly(escaped: re.Match[bytes]) -> bytes:
    """A character in the one way in which we write it."""
    return _plain_way(escaped[0])


@functools.lru_cache(maxsize=4096)
def _plain_way(escaped: bytes) -> bytes:
    return _EXACT.encode(_QUICK.decode(b'"%s"' % escaped))[1:-1]


class Layout:
    """Where the objects of a sound file stand, found when first asked for."""

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def items(self) -> list[Item]:
        return list(items(self.text, []))


def items(text: str, slips: list[Slip]) -> Iterator[Item]:
    """The objects of a file: itself, or the entries of its array, each with its own stretch of text.

    Repeated keys go to ``slips``; raises ``Broken`` where the rest makes no sense.
    """
    decoder = _Decoder(text)
    lines = Lines(text)
    at = _skip(text, 0)
    if not text.startswith("[", at):
        item, at = decoder.item(text, at, lines, slips)
        yield item
    else:
        at = _skip(text, at + 1)
        while not text.startswith("]", at):
            item, at = decoder.item(text, at, lines, slips)
            yield item
            at = _skip(text, at)
            if text.startswith(",", at):
                at = _skip(text, at + 1)
            elif not text.startswith("]", at):
                raise Broken(SPEC001_syntax.malformed("expecting `,` or `]`"), lines.span(at, at + 1))
        at += 1
    at = _skip(text, at)
    if at != len(text):
        raise Broken(SPEC001_syntax.malformed("something follows the end"), lines.span(at, at + 1))


class _Decoder:
    """The standard decoder, its numbers exact, with an eye on repeated keys."""

    def __init__(self, text: str) -> None:
        self.repeated = False
        self.surrogates = "\\ud" in text or "\\uD" in text
        """Whether some character may be written as a surrogate pair, and so as half of one."""
        self.decoder = json.JSONDecoder(
            object_pairs_hook=self.gather, parse_float=_fraction, parse_int=_whole, parse_constant=str
        )

    def gather(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) != len(pairs):
            self.repeated = True
            made = dict(reversed(pairs))  # the first of each counts
        return made

    def item(self, text: str, at: int, lines: Lines, slips: list[Slip]) -> tuple[Item, int]:
        """The value that begins at an offset, and the offset after it."""
        start = lines.span(at, at)
        try:
            tree, end = self.decoder.raw_decode(text, at)
        except json.JSONDecodeError as error:
            said = error.msg[:1].lower() + error.msg[1:]
            span = lines.span(error.pos, error.pos + 1)
            raise Broken(SPEC001_syntax.malformed(said), span) from None
        except RecursionError:
            raise Broken(SPEC003_too_much.depth(DEEPEST), start) from None
        item = Item(tree, text[at:end], start.line, start.column)
        lone = lone_surrogate(item.text) if self.surrogates else None
        if lone is not None:
            span = lines.span(at + lone, at + lone + 6)
            raise Broken(SPEC001_syntax.malformed("half of a surrogate pair is not a character"), span)
        if self.repeated:
            self.repeated = False
            found: list[Slip] = []
            _scan(item.text, Marks(), found)
            slips.extend(Slip(s.misread, s.span.after(start.line, start.column)) for s in found)
        return item, end


def lone_surrogate(text: str) -> int | None:
    """Offset of the first ``\\uD83D`` in JSON without its other half, which no UTF-8 could hold."""
    if "\\ud" not in text and "\\uD" not in text:
        return None
    high: re.Match[str] | None = None
    for escape in ESCAPE.finditer(text):
        code = int(escape[1], 16) if escape[1] else 0
        if high is not None:
            if not (0xDC00 <= code < 0xE000 and escape.start() == high.end()):
                return high.start()
            high = None
        elif 0xD800 <= code < 0xDC00:
            high = escape
        elif 0xDC00 <= code < 0xE000:
            return escape.start()
    return high.start() if high else None


def _skip(text: str, at: int) -> int:
    blank = BLANK.match(text, at)
    return blank.end() if blank else at


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


_QUICK = msgspec.json.Decoder(float_hook=_fraction)
_EXACT = msgspec.json.Encoder(decimal_format="number")


def _scan(text: str, marks: Marks, slips: list[Slip]) -> None:
    lines = Lines(text)
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
            if sign is not None:
                frames.append((where, sign == "{"))
                keys.append(None)
                indices.append(0)
                expecting_key = sign == "{"


def _where(frames: list[tuple[str, bool]], keys: list[str | None], indices: list[int]) -> str:
    if not frames:
        return ""
    pointer, mapping = frames[-1]
    return keys[-1] or "" if mapping else f"{pointer}/{indices[-1]}"


class Lines:
    """Turns rising offsets into lines and columns in one sweep."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.plain = plain_breaks(text)
        self.breaks = [] if self.plain else [match.end() for match in BREAK.finditer(text)]
        self.next = 0
        """Lines before where the sweep is."""
        self.at = self.base = 0

    def span(self, start: int, stop: int) -> Span:
        if self.plain:
            passed = self.text.count("\n", self.at, start)
            if passed:  # only then is there a beginning to look for: a line may be megabytes long
                self.next += passed
                self.base = self.text.rfind("\n", self.at, start) + 1
            self.at = start
            return Span(self.next, start - self.base, self.next, stop - self.base)
        while self.next < len(self.breaks) and self.breaks[self.next] <= start:
            self.next += 1
        base = self.breaks[self.next - 1] if self.next else 0
        return Span(self.next, start - base, self.next, stop - base)
