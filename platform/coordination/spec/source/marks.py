"""Where in a text do the parts of a document stand?

Positions are not kept while a policy set is read: they are found by reading one document again, when
something in it must be shown. Reading ten thousand sound documents pays nothing for them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from coordination.spec.finding import Misread


class Span(NamedTuple):
    """Zero-based, ends exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int

    def after(self, line: int, column: int) -> Span:
        """The same stretch in a text that begins at a place of a larger one."""
        return Span(
            self.line + line,
            self.column + (0 if self.line else column),
            self.end_line + line,
            self.end_column + (0 if self.end_line else column),
        )


NOWHERE = Span(0, 0, 0, 1)


class Slip(NamedTuple):
    """A mistake seen while a text was read, with its place."""

    misread: Misread
    span: Span


class Broken(Exception):
    """The rest of a text cannot be read."""

    def __init__(self, misread: Misread, span: Span) -> None:
        super().__init__(misread.message)
        self.slip = Slip(misread, span)


class Marks:
    """Spans by JSON pointer: of keys, and of values."""

    __slots__ = ("keys", "values")

    def __init__(self) -> None:
        self.keys: dict[str, Span] = {}
        self.values: dict[str, Span] = {}

    def find(self, where: str, on: Literal["key", "value"]) -> Span:
        """The span of a key or value; of the nearest thing around it when there is none."""
        while True:
            first, second = (self.keys, self.values) if on == "key" else (self.values, self.keys)
            found = first.get(where) or second.get(where)
            if found is not None:
                return found
            if not where:
                return NOWHERE
            where, on = where.rpartition("/")[0], "key"
