"""How does a kind say what its fields are, once, for every use made of them?

A block is a frozen struct whose fields are annotated with a notation and a sentence::

    class Queue(Block):
        \"\"\"Waiting room of a tier.\"\"\"

        max_wait: Annotated[int, Duration(), "How long a request may wait."] = 1_000_000

A field whose type is another block needs no notation; ``tuple[Block, ...]`` takes ``Blocks``. Modules of
blocks do without ``from __future__ import annotations``, so that an annotation is a value as its class is
made, and not a text to be evaluated again for each use: a tenth of what a short check executes.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import orjson

from coordination.spec.finding import MOST_FINDINGS, UNSET, Finding, Misread, Unset
from coordination.spec.notation import (
    MOST_KNOWN,
    Bounded,
    Instant,
    Items,
    Notation,
    Reference,
    Schema,
    Table,
)
from coordination.spec.plain import Path, Plain
from coordination.spec.rules import (
    SPEC005_unknown_field,
    SPEC006_wrong_type,
    SPEC013_missing_field,
)


class Block(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Base of every part of the language that is a mapping with fixed fields.

    Values are trees, and the collector need not look for circles in them (``gc``).
    """

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        """Checks between fields of one block, when each alone has been read. Adds to ``found``."""


class Field(msgspec.Struct, frozen=True):
    """One field as declared."""

    name: str
    """As written in a document."""
    attribute: str
    notation: Notation
    doc: str
    default: Any
    """``UNSET`` when the field must be given."""

    def schema(self) -> Schema:
        """Its notation's, with what is said of the field and what holds when it is left out."""
        schema = self.notation.schema()
        if self.doc:
            schema = {**schema, "description": self.doc}
        if self.default is not None and not isinstance(self.default, Unset):
            schema = {**schema, "default": self.notation.write(self.default)}
        return schema


NO_READER: tuple[str, dict[Any, Any], Field | None] = ("", {}, None)
"""Of a field that does not exist."""
LONGEST_PART = 200
"""Bytes of JSON of a list or mapping that is looked up, as texts and numbers are, when it is read again."""
MOST_PARTS = 1024
"""Of one notation, read or written."""


class Fields(Notation):
    """The notation of a block: a mapping with the block's fields."""

    def __init__(self, block: type[Block], owner: str | None = None) -> None:
        self.block = block
        self.owner = owner or f"`{_spaced(block.__name__)}`"
        self.fields = {field.name: field for field in fields_of(block)}
        self.required = [field for field in self.fields.values() if isinstance(field.default, Unset)]
        self.needed = frozenset(field.name for field in self.required)
        self.reviewed = block.review.__func__ is not Block.review.__func__  # type: ignore[attr-defined]
        """Whether there is something to check between its fields."""

    @functools.cached_property
    def readers(self) -> dict[str, tuple[str, dict[Any, Any], Field | None]]:
        """Of each field: its attribute, what was read before, and itself."""
        return {name: (field.attribute, field.notation.known, field) for name, field in self.fields.items()}

    @functools.cached_property
    def mentioning(self) -> list[Field]:
        """The fields that can name another object."""
        return [field for field in self.fields.values() if mentions_something(field.notation)]

    def read(self, value: Plain, path: Path, found: list[Finding]) -> Any:
        if not isinstance(value, dict):
            found.append(
                Finding(SPEC006_wrong_type.expected(f"a mapping with {self._listing()}", value), path)
            )
            return UNSET
        before = len(found)
        values: dict[str, Any] = {}
        meant: set[str] = set()
        readers = self.readers
        for key, item in value.items():
            attribute, known, field = readers.get(key, NO_READER)
            kind = type(item)
            said: Plain | bytes = item
            if kind is dict or kind is list:
                said = _said(item)
            elif kind is not str and kind is not int:
                said = None
            if said is not None and said in known:
                values[attribute] = known[said]
                continue
            if len(found) > MOST_FINDINGS:
                return UNSET
            if field is None:
                misread = self._unknown(key, value)
                found.append(Finding(misread, (path, key)))
                if misread.remedy is not None and misread.remedy.rename:
                    meant.add(misread.remedy.rename)
            elif item is None and field.default is None:
                continue
            else:
                made = values[attribute] = field.notation.read(item, (path, key), found)
                if isinstance(said, bytes) and len(found) == before and len(known) < MOST_PARTS:
                    known[said] = made
        if not self.needed <= value.keys():
            for field in self.required:
                if field.name not in value and field.name not in meant:
                    misread = SPEC013_missing_field.missing(field.name, self.owner, field.doc)
                    found.append(Finding(misread, path))
        if self.reviewed and len(found) == before:
            self.block.review(values, path, found)
        return self.block(**values) if len(found) == before else UNSET

    def _unknown(self, key: str, value: dict[str, Plain]) -> Misread:
        """What is said of a field that does not exist; renaming it is safe if its value then makes sense."""
        misread = SPEC005_unknown_field.unknown(key, self.owner, list(self.fields), value)
        remedy = misread.remedy
        if remedy is not None and remedy.safe and remedy.rename is not None:
            trial: list[Finding] = []
            self.fields[remedy.rename].notation.read(value[key], None, trial)
            safe = all(f.misread.remedy is not None and f.misread.remedy.safe for f in trial)
            misread.remedy = msgspec.structs.replace(remedy, safe=safe)
        return misread

    def parse(self, value: Plain) -> Any:
        raise NotImplementedError("a block reports every mistake; use read()")

    def write(self, value: Any) -> Plain:
        """Fields that hold their default are left out, so equal meanings have equal forms."""
        out: dict[str, Plain] = {}
        for (name, default, write), held in zip(self.writers, self.held(value), strict=True):
            if held is not default and held != default:
                out[name] = held if write is None else write(held)
        return out

    @functools.cached_property
    def held(self) -> Callable[[Any], Iterable[Any]]:
        """What a block holds in each of its fields."""
        attributes = [field.attribute for field in self.fields.values()]
        if len(attributes) > 1:
            return attrgetter(*attributes)
        return lambda block: [getattr(block, name) for name in attributes]

    @functools.cached_property
    def writers(self) -> list[tuple[str, Any, Callable[[Any], Plain] | None]]:
        """Of each field: name, default, and how it is written unless as it is held."""
        return [
            (name, f.default, None if f.notation.writes_as_held else _writer(f.notation))
            for name, f in self.fields.items()
        ]

    def schema(self) -> Schema:
        properties = {name: f.schema() for name, f in self.fields.items()}
        return {
            "type": "object",
            "description": (self.block.__doc__ or "").strip(),
            "properties": properties,
            "required": [field.name for field in self.required],
            "additionalProperties": False,
        }

    def says(self) -> str:
        return f"a mapping, see [{self.title}](#{self.title.replace(' ', '-')})"

    @property
    def title(self) -> str:
        """The block's name as a heading."""
        return _spaced(self.block.__name__)

    def _listing(self) -> str:
        return ", ".join(list(self.fields)[:6])


class Blocks(Items):
    """A list of blocks."""

    def __init__(self, block: type[Block], least: int = 0, most: int = 10_000) -> None:
        super().__init__(notation_of(block), least, most, distinct=False)


@functools.cache
def notation_of(block: type[Block]) -> Fields:
    """The compiled declaration of a block, made once."""
    return Fields(block)


@functools.cache
def fields_of(block: type[Block]) -> tuple[Field, ...]:
    """A block's fields in the order they were declared."""
    hints = get_type_hints(block, include_extras=True)
    return tuple(_field(hints[info.name], info) for info in msgspec.structs.fields(block))


def _field(hint: Any, info: msgspec.structs.FieldInfo) -> Field:
    default = info.default
    if default is msgspec.NODEFAULT:
        default = UNSET if info.default_factory is msgspec.NODEFAULT else info.default_factory()
    notation: Notation | None = None
    doc = ""
    if get_origin(hint) is Annotated:
        hint, *extras = get_args(hint)
        for extra in extras:
            if isinstance(extra, Notation):
                notation = extra
            elif isinstance(extra, str):
                doc = extra
    if notation is None:
        notation = notation_of(_block_in(hint))
    return Field(info.encode_name, info.name, notation, doc, default)


def _block_in(hint: Any) -> type[Block]:
    options = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for option in options:
        if isinstance(option, type) and issubclass(option, Block):
            return option
    raise TypeError(f"field of type {hint!r} declares no notation")


class Mention(msgspec.Struct, frozen=True):
    """A place in a document that names another object."""

    kind: str
    name: str
    path: Path
    on: Literal["key", "value"] = "value"
    """Whether the name stands there as a key (of a table by tier) or as the value."""


@functools.cache
def mentions_something(notation: Notation) -> bool:
    """Whether values of this notation can name another object."""
    if isinstance(notation, Fields):
        return any(mentions_something(field.notation) for field in notation.fields.values())
    if isinstance(notation, Table):
        return mentions_something(notation.key) or mentions_something(notation.of)
    if isinstance(notation, Items):
        return mentions_something(notation.of)
    return isinstance(notation, Reference) or bool(getattr(notation, "mentions", None))


def mentions(notation: Notation, value: Any, path: Path = None) -> Iterator[Mention]:
    """Every reference to another object in a value, with its place."""
    if value is None or not mentions_something(notation):
        return
    if isinstance(notation, Reference):
        yield Mention(notation.kind, value, path)
    elif isinstance(notation, Fields):
        for field in notation.mentioning:
            yield from mentions(field.notation, getattr(value, field.attribute), (path, field.name))
    elif isinstance(notation, Items):
        for i, item in enumerate(value):
            yield from mentions(notation.of, item, (path, i))
    elif isinstance(notation, Table):
        for key, item in value.items():
            if isinstance(notation.key, Reference):
                yield Mention(notation.key.kind, key, (path, key), "key")
            yield from mentions(notation.of, item, (path, key))
    else:
        yield from notation.mentions(value, path)  # type: ignore[attr-defined]


Named = defaultdict[str, set[str]]
"""Kind -> names of objects of it."""


@functools.cache
def collector(notation: Notation) -> Callable[[Any, Named], None]:
    """What puts the names that a value mentions into a set for each kind: ``mentions`` without the places.

    Made once for a notation, because a policy of ten thousand documents is asked this at every check.
    """
    if isinstance(notation, Reference):
        return functools.partial(_collect_name, notation.kind)
    if isinstance(notation, Fields):
        fields = [(field.attribute, collector(field.notation)) for field in notation.mentioning]
        return functools.partial(_collect_fields, fields)
    if isinstance(notation, Items) and isinstance(notation.of, Reference):
        return functools.partial(_collect_names, notation.of.kind)
    if isinstance(notation, Items):
        return functools.partial(_collect_items, collector(notation.of))
    if isinstance(notation, Table):
        key = notation.key.kind if isinstance(notation.key, Reference) else None
        of = collector(notation.of) if mentions_something(notation.of) else None
        return functools.partial(_collect_table, key, of)
    return functools.partial(_collect_mentions, notation)


def _collect_name(kind: str, value: str, named: Named) -> None:
    named[kind].add(value)


def _collect_names(kind: str, value: Iterable[str], named: Named) -> None:
    named[kind].update(value)


def _collect_fields(fields: list[tuple[str, Callable[[Any, Named], None]]], value: Any, named: Named) -> None:
    for attribute, collect in fields:
        held = getattr(value, attribute)
        if held:
            collect(held, named)


def _collect_items(collect: Callable[[Any, Named], None], value: Iterable[Any], named: Named) -> None:
    for item in value:
        collect(item, named)


def _collect_table(
    key: str | None, collect: Callable[[Any, Named], None] | None, value: dict[str, Any], named: Named
) -> None:
    if key is not None:
        named[key].update(value)
    if collect is not None:
        _collect_items(collect, value.values(), named)


def _collect_mentions(notation: Any, value: Any, named: Named) -> None:
    for mention in notation.mentions(value, None):
        named[mention.kind].add(mention.name)


def _writer(notation: Notation) -> Callable[[Any], Plain]:
    """How values are written; what recurs is looked up once it has been written."""
    if isinstance(notation, Bounded | Instant):
        return functools.lru_cache(MOST_KNOWN)(notation.write)
    if isinstance(notation, Fields | Items | Table):
        return functools.partial(_write_part, notation.write, {})
    return notation.write


def _write_part(write: Callable[[Any], Plain], written: dict[int, tuple[Any, Plain]], value: Any) -> Plain:
    """A part that was looked up as it was read is the same object in many documents."""
    known = written.get(id(value))
    if known is None:
        known = value, write(value)
        if len(written) < MOST_PARTS:
            written[id(value)] = known  # with the value, lest another gets its id
    return known[1]


def _said(part: Any) -> bytes | None:
    """By what a list or mapping is looked up; ``None`` for what JSON cannot say (decimals) or is long."""
    try:
        text = orjson.dumps(part)
    except TypeError:
        return None
    return text if len(text) <= LONGEST_PART else None


def _spaced(name: str) -> str:
    return "".join(f" {c.lower()}" if c.isupper() else c for c in name).strip()
