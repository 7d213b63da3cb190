"""What does somebody fill in to write an object? The language's own declarations, as shapes of a form.

Nothing here names a field: a field that the language gains tomorrow has its input tomorrow. What a
leaf holds is the text people type; the unit that stands beside the input is not typed again.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, TypeAlias

from coordination.spec.declaration import Field, Fields, notation_of
from coordination.spec.document import Metadata
from coordination.spec.finding import Unset
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import (
    Duration,
    Factor,
    Instant,
    Items,
    Notation,
    Percentile,
    Price,
    Rate,
    Reference,
    Share,
    Sum,
    Table,
)
from coordination.spec.plain import Plain
from coordination.spec.quantities import write_count
from coordination.spec.zones import Zone, known_zones

Control = Literal["text", "area", "choice", "reference", "flag", "zone"]
ACRONYMS = {name: name.upper() for name in ("kv", "url", "itl", "ttft", "tpot", "e2e")} | {"urls": "URLs"}
LONG_TEXT = 400
"""A text that may be longer than this gets several lines."""
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_SCALED_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?\s*[kMGT]?")
_AMOUNT = re.compile(r"[0-9]+(?:\.[0-9]+)?\s*[A-Z]{3}")
PER_MILLION = "/1M tokens"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One input."""

    notation: Notation
    control: Control
    unit: str = ""
    """What stands beside the input."""
    example: str = ""
    choices: tuple[str, ...] = ()
    kind: str = ""
    """The kind of object a reference names."""
    numeric: bool = False
    """Whether digits alone are a number in YAML, not a text."""
    by: str = ""
    """The field beside it that decides which of ``cases`` it is: a limit ``of: spend`` is money."""
    cases: Mapping[str, Leaf] = field(default_factory=dict, compare=False)

    def beside(self, chosen: str) -> Leaf:
        """What it is once the field it depends on says ``chosen``."""
        return self.cases.get(chosen, self)

    def shown(self, value: Plain) -> str:
        """A value of a document as it stands in the input; ``typed`` takes it back."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "true" if value else "false"
        text = _percent(value) if isinstance(self.notation, Share) else str(value)
        if isinstance(self.notation, Rate):
            return text.removesuffix(self.notation.unit).rstrip()
        if isinstance(self.notation, Price):
            return text.removesuffix(PER_MILLION)
        return text

    def typed(self, text: str) -> Plain:
        """What a text in the input means, in the language's notation."""
        if self.control == "flag":
            return {"true": True, "false": False}.get(text, text)
        if isinstance(self.notation, Share) and _PLAIN_NUMBER.fullmatch(text):
            return f"{text}%"
        if isinstance(self.notation, Rate) and _SCALED_NUMBER.fullmatch(text):
            return f"{text} {self.notation.unit}"
        if isinstance(self.notation, Price) and _AMOUNT.fullmatch(text):
            return text + PER_MILLION
        return text


@dataclass(frozen=True)
class Group:
    """Named fields."""

    fields: tuple[FieldShape, ...]
    bare: bool = False
    """Whether it may be there with nothing filled in, which is something else than not being there."""

    @functools.cached_property
    def deciding(self) -> frozenset[str]:
        """Names of the fields that others depend on."""
        return frozenset(
            each.shape.by for each in self.fields if isinstance(each.shape, Leaf) and each.shape.by
        )


@dataclass(frozen=True, slots=True)
class Rows:
    """As many of one shape as are wanted."""

    of: Shape
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """Keys of the author's, each with a value."""

    key: Leaf
    of: Shape
    most: int


@dataclass(frozen=True, slots=True)
class OneOf:
    """A word, or one of several words that ask for more: ``spill``, ``{downgrade: standard}``."""

    words: Leaf
    more: Mapping[str, Leaf]


Shape: TypeAlias = Leaf | Group | Rows | Pairs | OneOf


@dataclass(frozen=True, slots=True)
class FieldShape:
    """A field with everything that is said about it."""

    name: str
    label: str
    help: str
    required: bool
    default: Plain
    """What the language takes when the field is left out; None when that is nothing."""
    shape: Shape
    fallback: str = field(default="", compare=False)
    """The default of one input, as it would stand there."""


@functools.cache
def spec_of(kind: str) -> Group:
    """The fields of a kind's ``spec``."""
    return _group(NOTATIONS[kind])


@functools.cache
def metadata() -> Group:
    """The fields of ``metadata`` besides the name."""
    return Group(tuple(each for each in _group(notation_of(Metadata)).fields if each.name != "name"))


@functools.cache
def whole(kind: str) -> Group:
    """The document as far as people write it: ``metadata`` and ``spec``."""
    return Group(
        (
            FieldShape("metadata", "About it", "", True, None, metadata()),
            FieldShape("spec", "What it does", "", True, None, spec_of(kind)),
        )
    )


def label_of(name: str) -> str:
    """``max_wait`` -> ``Max wait``; the field's own abbreviations in capitals."""
    words = [ACRONYMS.get(word, word) for word in name.split("_")]
    return words[0][:1].upper() + " ".join(words)[1:]


def _group(notation: Fields) -> Group:
    return Group(tuple(map(_field, notation.fields.values())))


def _field(declared: Field) -> FieldShape:
    required = isinstance(declared.default, Unset)
    default = None if required or declared.default is None else declared.notation.write(declared.default)
    shape = _shape(declared.notation)
    if isinstance(shape, Group) and declared.default is None:
        shape = replace(shape, bare=not any(each.required for each in shape.fields))
    return FieldShape(
        name=declared.name,
        label=label_of(declared.name),
        help=declared.doc or _sentence(declared.notation),
        required=required,
        default=default,
        shape=shape,
        fallback=_fallback(shape, default),
    )


def _sentence(notation: Notation) -> str:
    return str(notation.schema().get("description", "")) if isinstance(notation, Fields) else ""


def _fallback(shape: Shape, default: Plain) -> str:
    if isinstance(shape, Leaf):
        return shape.shown(default)
    if isinstance(shape, OneOf):
        return str(next(iter(default), "")) if isinstance(default, dict) else shape.words.shown(default)
    return ""


def _shape(notation: Notation) -> Shape:
    if isinstance(notation, Fields):
        return _group(notation)
    if isinstance(notation, Items):
        return Rows(_shape(notation.of), notation.least, notation.most)
    if isinstance(notation, Table):
        return Pairs(_leaf(notation.key), _shape(notation.of), notation.most)
    schema = notation.schema()
    if "oneOf" in schema:
        return _one_of(notation, schema["oneOf"])
    return _leaf(notation)


def _one_of(notation: Notation, options: list[dict[str, Any]]) -> OneOf:
    """From a schema whose options are words, and objects of one member named by a word."""
    words: list[str] = []
    more: dict[str, Leaf] = {}
    for option in options:
        words += option.get("enum", ())
        members = option.get("properties", {})
        if ("enum" in option) + len(members) != 1:
            raise TypeError(f"no form for {notation.says()}: an option is neither words nor one member")
        for name, inner in members.items():
            if inner.get("type") != "string":
                raise TypeError(f"no form for {notation.says()}: `{name}` is more than a text")
            kind = str(inner.get("x-reference", ""))
            more[name] = Leaf(notation, "reference" if kind else "text", kind=kind)
    return OneOf(Leaf(notation, "choice", choices=(*words, *more)), more)


def _leaf(notation: Notation) -> Leaf:
    schema = notation.schema()
    if schema.get("type") in ("object", "array") or "oneOf" in schema:
        raise TypeError(f"no input holds {notation.says()}")
    if isinstance(notation, Reference):
        return Leaf(notation, "reference", kind=notation.kind)
    if "enum" in schema:
        return Leaf(notation, "choice", choices=tuple(map(str, schema["enum"])))
    if schema.get("type") == "boolean":
        return Leaf(notation, "flag", choices=("true", "false"))
    if isinstance(notation, Zone):
        return Leaf(notation, "zone", unit="time zone", choices=("UTC", *sorted(known_zones() - {"UTC"})))
    if schema.get("type") == "string" and schema.get("maxLength", 0) > LONG_TEXT:
        return Leaf(notation, "area")
    unit, example = _unit(notation, schema)
    types = schema.get("type", "")
    return Leaf(
        notation,
        "text",
        unit=unit,
        example=example,
        numeric="integer" in types or "number" in types,
        by=notation.by,
        cases={word: _leaf(meant) for word, meant in notation.cases.items()},
    )


def _unit(notation: Notation, schema: dict[str, Any]) -> tuple[str, str]:
    """What stands beside the input, and what might stand in it."""
    if isinstance(notation, Duration):
        return "time", "10s"
    if isinstance(notation, Share):
        return "%", "70"
    if isinstance(notation, Percentile):
        return "in 100", "95"
    if isinstance(notation, Factor):
        return "×", "1"
    if isinstance(notation, Sum):
        return "money", "20000 USD"
    if isinstance(notation, Price):
        return "per 1M tokens", "0.20 USD"
    if isinstance(notation, Instant):
        return "date, time, zone", "2026-12-01T00:00:00Z"
    if schema.get("type") == "integer":
        least, most = schema.get("minimum", 0), schema.get("maximum")
        return (f"{least} to {write_count(most)}" if most is not None else "number"), ""
    unit = str(schema.get("x-unit", "")).partition(", by `")[0]
    return unit, "8k" if unit else ""


def _percent(value: Plain) -> str:
    """``70%``, ``0.7`` and ``7e-1`` are all 70 beside a percent sign."""
    text = str(value)
    if text.endswith("%"):
        return text.removesuffix("%").rstrip()
    try:
        return f"{(Decimal(text) * 100).normalize():f}"
    except InvalidOperation:
        return text
