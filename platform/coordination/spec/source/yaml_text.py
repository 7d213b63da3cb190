"""How is YAML read: safely, exactly, and in one pass?

The C parser's events are taken one by one, without recursion, and put together here. So depth is
bounded before it can hurt, aliases are refused before they can multiply, and scalars are resolved as
YAML 1.2's core schema does (``no`` is a text, ``0o17`` is a number, dates are texts).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from decimal import Decimal
from itertools import chain, pairwise
from typing import Any

from yaml import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml._yaml import CParser
from yaml.error import MarkedYAMLError, YAMLError

from coordination.spec.plain import Plain
from coordination.spec.rules import (
    SPEC001_syntax,
    SPEC002_refused_feature,
    SPEC003_too_much,
    SPEC004_duplicate_key,
)
from coordination.spec.source.marks import NOWHERE, Broken, Marks, Slip, Span

DEEPEST = 32
LONGEST_NUMBER = 40
BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
SEPARATOR = re.compile("^---(?=[ \t\r\n]|$)", re.MULTILINE)
ANY_SEPARATOR = re.compile("(?:^|(?<=[\n\r\x85\u2028\u2029]))---(?=[ \t\n\r\x85\u2028\u2029]|$)")
"""The same where lines may end in any way YAML knows; ten times slower."""
DIRECTIVE = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n)*+(%[^\n\r]*)")
NUMBER = re.compile(
    r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+|([-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?)"
)
WORDS: dict[str, Plain] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
COULD_BE_NUMBER = frozenset("+-.0123456789")


def documents(text: str) -> Iterator[tuple[str, int]]:
    """The stretches of a file that hold one document each, with the lines before them.

    YAML gives ``---`` at the start of a line to documents alone, even inside quotes; so a mistake in
    one document cannot spoil the next.
    """
    plain = plain_breaks(text)
    separator = SEPARATOR if plain else ANY_SEPARATOR
    starts = (match.start() for match in separator.finditer(text))
    line = 0
    for start, stop in pairwise(chain([0], filter(None, starts), [len(text)])):
        stretch = text[start:stop]
        yield stretch, line
        line += stretch.count("\n") if plain else len(BREAK.findall(stretch))


def plain_breaks(text: str) -> bool:
    """Whether all its lines end in a line feed, so that they can be counted the quick way."""
    return "\r" not in text and text.isascii()


class Nothing:
    """A stretch without a document: blank, or comments only."""


NOTHING = Nothing()


def compose(text: str, slips: list[Slip]) -> Plain | Nothing:
    """One document as a tree. Mistakes go to ``slips``; ``Broken`` where the rest makes no sense."""
    directive = DIRECTIVE.match(text)
    if directive is not None:
        line = text.count("\n", 0, directive.start(1))
        raise Broken(SPEC002_refused_feature.directive(directive[1]), Span(line, 0, line, len(directive[1])))
    try:
        return _compose(CParser(text).get_event, slips)
    except MarkedYAMLError as error:
        mark: Any = error.problem_mark or error.context_mark
        span = Span(mark.line, mark.column, mark.line, mark.column + 1) if mark else NOWHERE
        notes = (f"It was {error.context}.",) if error.context else ()
        raise Broken(SPEC001_syntax.malformed(str(error.problem), notes), span) from None
    except YAMLError as error:
        raise Broken(SPEC001_syntax.malformed(str(error)), NOWHERE) from None


def _compose(next_event: Callable[[], Any], slips: list[Slip]) -> Plain | Nothing:
    root: Plain | Nothing = NOTHING
    stack: list[Any] = []
    keys: list[str] = []
    top: Any = None  # the container being filled
    key: str | None = None  # within a mapping: the key whose value comes next
    while True:
        event = next_event()
        kind = type(event)
        made: Any
        if kind is ScalarEvent:
            if event.anchor is not None or event.tag is not None:
                raise _refused(event)
            if type(top) is dict and key is None:
                key = event.value
                if key in top:
                    slips.append(Slip(SPEC004_duplicate_key.twice(key), span_of(event)))
                elif key == "<<" and not event.style:
                    slips.append(Slip(SPEC002_refused_feature.merge_key(), span_of(event)))
                continue
            made = event.value if event.style else resolve(event.value)
        elif kind is MappingEndEvent or kind is SequenceEndEvent:
            made, top = top, stack.pop()
            key = keys.pop() if type(top) is dict else None
        elif kind is MappingStartEvent or kind is SequenceStartEvent:
            if event.anchor is not None or event.tag is not None:
                raise _refused(event)
            if len(stack) >= DEEPEST:
                raise Broken(SPEC003_too_much.depth(DEEPEST), span_of(event))
            stack.append(top)
            if type(top) is dict:
                if key is None:
                    raise Broken(SPEC002_refused_feature.complex_key("a collection"), span_of(event))
                keys.append(key)
            top, key = ({} if kind is MappingStartEvent else []), None
            continue
        elif kind is AliasEvent:
            raise _refused(event)
        elif kind is StreamEndEvent:
            return root
        elif kind is DocumentStartEvent and root is not NOTHING:
            raise Broken(SPEC002_refused_feature.inner_document(), span_of(event))
        else:
            continue
        if top is None:
            root = made
        elif type(top) is list:
            top.append(made)
        else:
            top.setdefault(key, made)
            key = None


def _refused(event: Any) -> Broken:
    if type(event) is AliasEvent:
        return Broken(SPEC002_refused_feature.alias(str(event.anchor)), span_of(event))
    if event.anchor is not None:
        return Broken(SPEC002_refused_feature.anchor(event.anchor), span_of(event))
    return Broken(SPEC002_refused_feature.tag(event.tag), span_of(event))


def resolve(text: str) -> Plain:
    """A plain (unquoted) scalar by YAML 1.2's core schema, numbers exact."""
    if text in WORDS:
        return WORDS[text]
    if text[0] not in COULD_BE_NUMBER or len(text) > LONGEST_NUMBER:
        return text
    match = NUMBER.fullmatch(text)
    if match is None:
        return text
    if match[1] is not None:
        return Decimal(text)
    return int(text, 8 if text[:2] == "0o" else 16 if text[:2] == "0x" else 10)


def span_of(event: Any) -> Span:
    start, end = event.start_mark, event.end_mark
    return Span(start.line, start.column, end.line, end.column)


class _Frame:
    """A container while its places are being learnt."""

    __slots__ = ("index", "key", "mapping", "pointer")

    def __init__(self, pointer: str, mapping: bool) -> None:
        self.pointer, self.mapping = pointer, mapping
        self.key: str | None = None
        self.index = 0


def marks_of(text: str) -> Marks:
    """Places of everything in one document, as far as it can be read."""
    marks = Marks()
    with suppress(YAMLError):
        _mark(CParser(text).get_event, marks)
    return marks


def _mark(next_event: Callable[[], Any], marks: Marks) -> None:
    frames: list[_Frame] = []
    while True:
        event = next_event()
        kind = type(event)
        if kind is StreamEndEvent or len(frames) > DEEPEST:
            return
        if kind is MappingEndEvent or kind is SequenceEndEvent:
            frames.pop()
            continue
        opens = kind is MappingStartEvent or kind is SequenceStartEvent
        if not opens and kind is not ScalarEvent:
            continue
        where, span = "", span_of(event)
        if frames:
            frame = frames[-1]
            if frame.mapping and frame.key is None and kind is ScalarEvent:
                frame.key = f"{frame.pointer}/{event.value.replace('~', '~0').replace('/', '~1')}"
                marks.keys.setdefault(frame.key, span)
                continue
            where = frame.key or "" if frame.mapping else f"{frame.pointer}/{frame.index}"
            frame.key = None
            frame.index += 1
        if opens:
            frames.append(_Frame(where, kind is MappingStartEvent))
            span = _shown(span, marks.keys.get(where))
        marks.values.setdefault(where, span)


def _shown(span: Span, key: Span | None) -> Span:
    """How a collection is pointed at: by its key, else by its first character."""
    return key or Span(span.line, span.column, span.line, span.column + 1)
