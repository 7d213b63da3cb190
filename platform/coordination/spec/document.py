"""What is a policy set once it has been read: documents with their values, each knowing its place?"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from operator import attrgetter
from typing import Annotated, Any, Literal

import msgspec
import orjson

from coordination.diagnostics import Location, ObjectRef
from coordination.spec.declaration import Block, Mention, mentions, notation_of
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Items, Table, Text
from coordination.spec.plain import Path, Plain, pointer
from coordination.spec.source import json_text, yaml_text
from coordination.spec.source.marks import Marks, Span

API_VERSION = "headway/v1"
ENVIRONMENT = Text(63, r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?", "an environment name such as `production`")
KEY = Text(100, r"[A-Za-z0-9][A-Za-z0-9._/-]*", "a key such as `team`")


class SourceFile(msgspec.Struct, frozen=True):
    """A file as found: its name as diagnostics show it, and its bytes."""

    name: str
    text: bytes


class Metadata(Block, frozen=True, kw_only=True):
    """What is said about an object besides what it does."""

    name: Annotated[str, Text(600), "Its name among the objects of its kind."]
    labels: Annotated[dict[str, str], Table(KEY, Text(200), most=50), "Facts to select it by."] = {}
    annotations: Annotated[dict[str, str], Table(KEY, Text(10_000), most=50), "Facts for tools."] = {}
    description: Annotated[str, Text(2000), "What it is for."] = ""
    environments: Annotated[
        tuple[str, ...],
        Items(ENVIRONMENT, least=1, most=50),
        "Where the document applies; by default everywhere.",
    ] = ()


class Positions:
    """Places of one document's parts, found when first asked for."""

    def __init__(
        self, file: str, text: str, line: int = 0, column: int = 0, *, is_json: bool = False
    ) -> None:
        self.file, self.text, self.is_json = file, text, is_json
        self.line, self.column = line, column
        """Where the text begins in its file, counted from 0."""

    @cached_property
    def marks(self) -> Marks:
        return json_text.marks_of(self.text) if self.is_json else yaml_text.marks_of(self.text)

    def locate(self, where: str, on: Literal["key", "value"] = "value") -> Location:
        """The place of a JSON pointer within the document."""
        return self.place(self.marks.find(where, on))

    def place(self, span: Span) -> Location:
        """A stretch of the document's text, in its file."""
        line, column, end_line, end_column = span.after(self.line, self.column)
        return Location(self.file, line + 1, column + 1, end_line + 1, end_column + 1)


class LaterPositions(Positions):
    """Of one of a JSON file's objects, by its number: the file is looked through when first asked for any."""

    is_json = True

    def __init__(self, file: str, layout: json_text.Layout, number: int) -> None:
        self.file, self._layout, self._number = file, layout, number

    @property
    def text(self) -> str:  # type: ignore[override]
        return self._layout.items[self._number].text

    @property
    def line(self) -> int:  # type: ignore[override]
        return self._layout.items[self._number].line

    @property
    def column(self) -> int:  # type: ignore[override]
        return self._layout.items[self._number].column


class Document:
    """One object of the policy as it was written."""

    __slots__ = ("kind", "metadata", "name", "positions", "spec")

    def __init__(self, kind: str, metadata: Metadata, spec: Any, positions: Positions) -> None:
        self.kind, self.name = kind, metadata.name
        self.metadata, self.spec, self.positions = metadata, spec, positions

    @property
    def ref(self) -> ObjectRef:
        return ObjectRef(self.kind, self.name)

    @property
    def source(self) -> str:
        return self.positions.file

    def applies_in(self, environment: str | None) -> bool:
        """Whether it belongs to an environment; ``None`` asks for what belongs to all."""
        return not self.metadata.environments or environment in self.metadata.environments

    def locate(self, path: Path | str, on: Literal["key", "value"] = "value") -> Location:
        """Where a part of the document stands in its file."""
        return self.positions.locate(path if isinstance(path, str) else pointer(path), on)

    def mentions(self) -> Iterator[Mention]:
        """Every reference to another object."""
        return mentions(NOTATIONS[self.kind], self.spec, (None, "spec"))

    def plain(self) -> dict[str, Plain]:
        """The document as a tree, each value in its one normal notation, defaults left out."""
        return {
            "apiVersion": API_VERSION,
            "kind": self.kind,
            "metadata": notation_of(Metadata).write(self.metadata),
            "spec": NOTATIONS[self.kind].write(self.spec),
        }

    def canonical(self) -> bytes:
        """Canonical JSON: equal meanings give equal bytes; reading it gives this document.

        It is RFC 8785: all keys are ASCII (fields, names, labels by their notation), so sorting by code
        point sorts by UTF-16 too, and there are no numbers but integers.
        """
        return canonical_of(self.plain())


def canonical_of(plain: dict[str, Plain]) -> bytes:
    """The canonical JSON of a document given as ``Document.plain`` has it."""
    return orjson.dumps(plain, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


_ORDER = attrgetter("kind", "name", "metadata.environments", "positions.file")


class PolicySet:
    """Everything that was read, in an order that does not depend on the order of files."""

    def __init__(
        self,
        documents: Iterable[Document],
        *,
        broken: Iterable[ObjectRef],
        complete: bool,
        texts: dict[str, str],
        ordered: bool = False,
    ) -> None:
        self.documents = tuple(documents if ordered else sorted(documents, key=_ORDER))
        self.broken = frozenset(broken)
        """Objects that are named in the files but could not be read: references to them are not wrong."""
        self.complete = complete
        """Whether nothing was left out for an error."""
        self.texts = texts
        """File name -> text, for excerpts."""

    def with_edits(
        self,
        edits: Mapping[tuple[str, str], Document | None],
        *,
        broken: Iterable[ObjectRef],
        complete: bool,
    ) -> PolicySet:
        """The set with these documents in the place of others, by (kind, name); None takes one away."""
        names = {name for _, name in edits}
        documents = [d for d in self.documents if d.name not in names or (d.kind, d.name) not in edits]
        for document in edits.values():
            if document is not None:
                insort(documents, document, key=_ORDER)
        return PolicySet(documents, broken=broken, complete=complete, texts=self.texts, ordered=True)

    @property
    def environments(self) -> tuple[str, ...]:
        """Every environment that some document names."""
        return tuple(sorted({name for d in self.documents for name in d.metadata.environments}))
