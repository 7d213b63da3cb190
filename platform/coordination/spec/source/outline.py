"""How does one YAML document stand on the page: its parts in order, each with the comments that belong to it?

The reader keeps values and forgets the page; a formatter must keep both. Comments are what the parser
skips: a ``#`` between two scalars can be nothing else. One on a line of its own belongs to what follows
it, or to the end of the block it is indented with; one at the end of a line belongs to what ends there.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

import msgspec
from yaml import (
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)
from yaml._yaml import CParser

from coordination.spec.source.yaml_text import BREAK

COMMENT = re.compile("#[^\n\r\x85\u2028\u2029]*")
Style: TypeAlias = Literal["plain", "quoted", "block"]


class Scalar(msgspec.Struct):
    text: str
    style: Style
    raw: tuple[str, ...] = ()
    """Of a block scalar: its header and its lines, without their indentation."""


class Slot(msgspec.Struct):
    """An entry of a mapping, or of a list (without a key)."""

    key: Scalar | None
    value: Node
    line: int
    column: int
    start: int
    before: list[str] = msgspec.field(default_factory=list)
    """Lines of comment above it; the empty text is a blank line."""
    after: str = ""
    """The comment at the end of its line."""


class Group(msgspec.Struct):
    """A mapping or a list."""

    mapping: bool
    flow: bool
    line: int
    column: int
    slots: list[Slot] = msgspec.field(default_factory=list)
    tail: list[str] = msgspec.field(default_factory=list)
    """Comments below its last entry."""


Node: TypeAlias = Scalar | Group


class Outline(msgspec.Struct):
    """A stretch of a file: comments, and a document unless it is blank."""

    root: Node | None
    header: list[str]
    footer: list[str]


class _Ended(msgspec.Struct):
    """Something a comment at the end of the same line speaks of."""

    end: int
    line: int
    slot: Slot | None


class _Remark(msgspec.Struct):
    start: int
    line: int
    column: int
    text: str
    alone: bool
    """Whether nothing stands before it on its line."""


class _Builder:
    """Puts one document together from the parser's events, which have been read without fault before."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.starts = [0, *(match.end() for match in BREAK.finditer(text))]
        self.root: Node | None = None
        self.open: list[Group] = []
        self.key: tuple[Scalar, Any] | None = None
        self.slots: list[tuple[Slot, tuple[Group, ...]]] = []
        """Every entry with the groups around it, as they begin."""
        self.ended: list[_Ended] = []
        self.spans: list[tuple[int, int]] = []
        """Of the scalars: a ``#`` within one is no comment."""
        self.owners: list[Slot | None] = []

    def run(self) -> None:
        next_event = CParser(self.text).get_event
        while True:
            event: Any = next_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                mark = event.start_mark
                flow = self.text[mark.index : mark.index + 1] in ("{", "[")
                group = Group(kind is MappingStartEvent, flow, mark.line, mark.column)
                self.owners.append(self._put(group, event))
                self.open.append(group)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                owner, group = self.owners.pop(), self.open.pop()
                if group.flow:
                    mark = event.end_mark
                    self.ended.append(_Ended(mark.index, mark.line, owner))
            elif kind is StreamEndEvent:
                return
            elif kind is DocumentStartEvent:
                continue

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark, event.end_mark
        style: Style = "plain" if not event.style else "block" if event.style in "|>" else "quoted"
        raw = self._raw(start, end) if style == "block" else ()
        scalar = Scalar(event.value, style, raw)
        self.spans.append((start.index, end.index))
        if self.open and self.open[-1].mapping and self.key is None:
            self.key = scalar, event
            return
        slot = self._put(scalar, event)
        if start.index != end.index:
            self.ended.append(_Ended(end.index, end.line, slot))

    def _put(self, node: Node, event: Any) -> Slot | None:
        if not self.open:
            self.root = node
            return None
        key, at = self.key or (None, event)
        self.key = None
        mark = at.start_mark
        slot = Slot(key, node, mark.line, mark.column, mark.index)
        group = self.open[-1]
        group.slots.append(slot)
        self.slots.append((slot, tuple(self.open)))
        if key is not None:
            self.ended.append(_Ended(at.end_mark.index, at.end_mark.line, slot))
        return slot

    def _raw(self, start: Any, end: Any) -> tuple[str, ...]:
        """A block scalar as it stands, without its indentation; empty if that is stated by a number."""
        header, *lines = BREAK.split(self.text[start.index : end.index])
        sign = header.split("#")[0].strip()
        while lines and not lines[-1].strip():
            lines.pop()
        if re.search(r"\d", sign) or sign.endswith("+"):
            return ()
        depth = min((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), default=0)
        return (sign, *(line[depth:].rstrip("\r") for line in lines))

    def remarks(self) -> Iterator[_Remark]:
        """Every comment, in order."""
        at = 0
        for start, end in [*sorted(self.spans), (len(self.text), len(self.text))]:
            for found in COMMENT.finditer(self.text, at, start):
                line = bisect_right(self.starts, found.start()) - 1
                left = self.text[self.starts[line] : found.start()]
                yield _Remark(
                    found.start(), line, len(left), found[0].rstrip(), not left.strip() or left[:3] == "---"
                )
            at = max(at, end)
            if self.text[start : start + 1] in ("|", ">"):
                head = BREAK.split(self.text[start:end], maxsplit=1)[0]
                if "#" in head:
                    line = bisect_right(self.starts, start) - 1
                    yield _Remark(start - 1, line, 0, head[head.index("#") :].rstrip(), False)

    def blank(self, line: int) -> bool:
        """Whether a line is blank."""
        if not 0 <= line < len(self.starts):
            return False
        end = self.starts[line + 1] if line + 1 < len(self.starts) else len(self.text)
        return not self.text[self.starts[line] : end].strip()


def outline_of(text: str) -> Outline:
    """One stretch of a file, which must be sound YAML without aliases, tags or directives."""
    builder = _Builder(text)
    builder.run()
    outline = Outline(builder.root, [], [])
    places = [slot.start for slot, _ in builder.slots]
    ends = sorted(builder.ended, key=lambda ended: ended.end)
    stops = [ended.end for ended in ends]
    for remark in builder.remarks():
        ended = ends[i - 1] if (i := bisect_right(stops, remark.start)) else None
        if not remark.alone and ended is not None and ended.line == remark.line and ended.slot is not None:
            if ended.slot.after:
                ended.slot.before.append(ended.slot.after)
            ended.slot.after = remark.text
            continue
        following = bisect_left(places, remark.start)
        _stand_alone(builder, outline, remark, following)
    if outline.header and builder.slots and builder.blank(builder.slots[0][0].line - 1):
        outline.header.append("")
    for slot, around in builder.slots:
        if (slot.before or slot is not around[-1].slots[0]) and builder.blank(slot.line - 1):
            slot.before.append("")
        if slot.after and isinstance(slot.value, Scalar) and slot.value.raw:
            slot.before.append(slot.after)  # a text on several lines has no end of its line
            slot.after = ""
    return outline


def _stand_alone(builder: _Builder, outline: Outline, remark: _Remark, following: int) -> None:
    """A comment with a line of its own: above the next entry, or below the last of a block."""
    slots = builder.slots
    lines = [""] if builder.blank(remark.line - 1) else []
    lines.append(remark.text)
    if following == 0:
        outline.header += lines
        return
    nearest = slots[following] if following < len(slots) else None
    inside = nearest[1] if nearest else ()
    last, around = slots[following - 1]
    groups = [*around, *([last.value] if isinstance(last.value, Group) else [])]
    for group in reversed(groups):
        done = not any(group is other for other in inside)
        if done and not group.flow and group.column == remark.column and remark.column > 0:
            group.tail += lines
            return
    if nearest is None:
        outline.footer += lines
    else:
        nearest[0].before += lines
