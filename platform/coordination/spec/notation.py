"""In what notations are a field's values written? Each reads, writes back, and describes itself.

A notation is attached to a field's type: ``band: Annotated[int, Whole(0, 1000), "Higher goes first."]``.
From that one declaration come the reader, the canonical form and the JSON Schema.
"""

from __future__ import annotations

import functools
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from coordination.spec import quantities as q
from coordination.spec.finding import MOST_FINDINGS, UNSET, Finding, Misread, Remedy, Unset
from coordination.spec.plain import Path, Plain, describe
from coordination.spec.rules import (
    SPEC006_wrong_type,
    SPEC008_out_of_range,
    SPEC009_bad_name,
    SPEC014_unknown_choice,
)

NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
DEEPEST_PATH = 8
NAME_PATH = re.compile(rf"{NAME.pattern}(?:/{NAME.pattern}){{0,{DEEPEST_PATH - 1}}}")
DECIMAL = r"\s*[+-]?[0-9]{1,24}(?:\.[0-9]{1,18})?\s*"
"""A number as a quantity begins with."""
FLAGS = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
"""How people write flags who know other readers of YAML, or put quotes round them."""
LONGEST_KNOWN = 64
MOST_KNOWN = 16_384
"""Of one notation; beyond it texts are read as they come."""
Schema = dict[str, Any]


def _instead(value: Plain) -> Remedy | None:
    """A remedy that says the same in the right notation."""
    return None if value is None else Remedy(f"write {describe(value)}", replace=value, safe=True)


class Notation(ABC):
    """How one kind of value is written."""

    unit: str = ""
    by: str = ""
    """The field beside it that decides which of ``cases`` a value is written in; empty when none does."""
    cases: Mapping[str, Notation] = MappingProxyType({})

    def read(self, value: Plain, path: Path, found: list[Finding]) -> Any:
        """The value, or ``UNSET`` after adding to ``found`` what is wrong with it.

        Sets of policies say the same things over and over: texts and numbers that were read before are
        looked up.
        """
        kind = type(value)
        if (kind is str or kind is int) and value in self.known:
            return self.known[value]
        try:
            made = self.parse(value)
        except Misread as misread:
            found.append(Finding(misread, path))
            return UNSET
        if len(self.known) < MOST_KNOWN and (
            kind is int or (isinstance(value, str) and len(value) <= LONGEST_KNOWN)
        ):
            self.known[value] = made
        return made

    @functools.cached_property
    def known(self) -> dict[Plain, Any]:
        """Text or whole number -> what it was read as: immutable, and the same whoever asks."""
        return {}

    @abstractmethod
    def parse(self, value: Plain) -> Any:
        """The value; raises ``Misread``."""

    def write(self, value: Any) -> Plain:
        """Back into the notation; ``parse(write(v)) == v``."""
        return value  # type: ignore[no-any-return]

    @property
    def writes_as_held(self) -> bool:
        """Whether values are written as they are held."""
        return type(self).write is Notation.write

    @abstractmethod
    def schema(self) -> Schema:
        """As JSON Schema (2020-12). Units and references travel as ``x-`` keywords.

        Never stricter than ``read``: an editor must not refuse what the reader takes.
        """

    @abstractmethod
    def says(self) -> str:
        """How a value is written, in a few words of Markdown for the reference."""


class Text(Notation):
    def __init__(self, longest: int = 1000, pattern: str | None = None, what: str = "a text") -> None:
        self.longest, self.what = longest, what
        self.pattern = re.compile(pattern) if pattern else None

    def parse(self, value: Plain) -> str:
        if not isinstance(value, str):
            raise SPEC006_wrong_type.expected(self.what, value)
        if len(value) > self.longest:
            raise SPEC008_out_of_range.too_many(len(value), self.longest, "characters")
        if self.pattern and not self.pattern.fullmatch(value):
            raise SPEC006_wrong_type.expected(self.what, value)
        return value

    def schema(self) -> Schema:
        schema: Schema = {"type": "string", "maxLength": self.longest}
        return {**schema, "pattern": f"^(?:{self.pattern.pattern})$"} if self.pattern else schema

    def says(self) -> str:
        return self.what


class Name(Notation):
    """The name of an object. A tenant's is a path: ``acme/search``."""

    def __init__(self, *, path: bool = False) -> None:
        self.path = path
        self.pattern = NAME_PATH if path else NAME

    def allows(self, value: Plain) -> bool:
        """Whether it is such a name."""
        return isinstance(value, str) and self.pattern.fullmatch(value) is not None

    def parse(self, value: Plain) -> str:
        if not isinstance(value, str):
            raise SPEC006_wrong_type.expected("a name", value)
        if not self.pattern.fullmatch(value):
            shape = SPEC009_bad_name.SHAPE
            if self.path:
                shape = f"at most {DEEPEST_PATH} steps separated by `/`, each of {shape}"
            raise SPEC009_bad_name.not_a_name(value, shape)
        return value

    def schema(self) -> Schema:
        step = NAME.pattern
        return {"type": "string", "pattern": f"^{step}(?:/{step})*$" if self.path else f"^{step}$"}

    def says(self) -> str:
        return "a name"


class Reference(Name):
    """The name of an object of another document."""

    def __init__(self, kind: str) -> None:
        super().__init__(path=kind == "Tenant")
        self.kind = kind

    def schema(self) -> Schema:
        return {**super().schema(), "x-reference": self.kind}

    def says(self) -> str:
        return f"the name of a [{self.kind}]({self.kind}.md)"


class Flag(Notation):
    def parse(self, value: Plain) -> bool:
        if not isinstance(value, bool):
            meant = FLAGS.get(value.lower()) if isinstance(value, str) else None
            raise SPEC006_wrong_type.expected("true or false", value, remedy=_instead(meant))
        return value

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def says(self) -> str:
        return "`true` or `false`"


class Choice(Notation):
    def __init__(self, *choices: str) -> None:
        self.choices = choices

    def parse(self, value: Plain) -> str:
        if not isinstance(value, str):
            raise SPEC006_wrong_type.expected(f"one of {', '.join(self.choices)}", value)
        if value not in self.choices:
            raise SPEC014_unknown_choice.unknown(value, list(self.choices))
        return value

    def schema(self) -> Schema:
        return {"enum": list(self.choices)}

    def says(self) -> str:
        return ", ".join(f"`{choice}`" for choice in self.choices)


class Bounded(Notation):
    """An integer inside, within bounds."""

    def __init__(self, least: int = 0, most: int = q.LARGEST) -> None:
        self.least, self.most = least, most

    def schema(self) -> Schema:
        return {
            "type": ["string", "number"],
            "pattern": f"^{DECIMAL}{self.suffix()}\\s*$",
            "x-unit": self.unit,
            "x-least": self.least,
            "x-most": self.most,
        }

    @abstractmethod
    def suffix(self) -> str:
        """What may follow the digits, as a regular expression."""

    def bounds(self) -> str:
        """The bounds in words, where they are worth telling."""
        low = f"at least {self.write(self.least)}" if self.least > 1 else ""
        high = f"at most {self.write(self.most)}" if self.most < q.LARGEST else ""
        return "".join(f", {bound}" for bound in (low, high) if bound)


class Whole(Bounded):
    """A plain number without a unit: ``band: 300``."""

    def parse(self, value: Plain) -> int:
        return q.read_count(value, "", self.least, self.most)

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.least, "maximum": self.most}

    def suffix(self) -> str:
        return "[kMGT]?"

    def says(self) -> str:
        return f"a whole number{self.bounds()}"


class Count(Bounded):
    """A number of things; the unit may be written but need not be: ``8k``."""

    def __init__(self, unit: str, least: int = 0, most: int = q.LARGEST) -> None:
        super().__init__(least, most)
        self.unit = unit

    def parse(self, value: Plain) -> int:
        return q.read_count(value, self.unit, self.least, self.most)

    def write(self, value: int) -> Plain:
        return q.write_count(value)

    def suffix(self) -> str:
        return rf"(?:[kMGT](?:\s+{self.unit})?|{self.unit})?"

    def says(self) -> str:
        return f"a number of {self.unit} such as `8k`{self.bounds()}"


class Rate(Count):
    """A number whose unit must be written: ``600k tokens/min``."""

    def parse(self, value: Plain) -> int:
        return q.read_rate(value, self.unit, self.least, self.most)

    def write(self, value: int) -> Plain:
        return f"{q.write_count(value)} {self.unit}"

    def suffix(self) -> str:
        return rf"(?:[kMGT]\s+)?{self.unit}"

    def says(self) -> str:
        return f"a rate such as `600k {self.unit}`"


class Duration(Bounded):
    """``400ms``; microseconds inside."""

    unit = "us"

    def __init__(self, least: str = "0s", most: str = "366d") -> None:
        super().__init__(q.read_duration(least, 0, q.LARGEST), q.read_duration(most, 0, q.LARGEST))

    def parse(self, value: Plain) -> int:
        return q.read_duration(value, self.least, self.most)

    def write(self, value: int) -> Plain:
        return q.write_duration(value)

    def suffix(self) -> str:
        return "(?:us|ms|s|m|h|d)?"

    def says(self) -> str:
        return f"a duration such as `400ms`{self.bounds()}"


class Factor(Bounded):
    """``0.1`` or ``4``; parts per million inside."""

    unit = "ppm"

    def __init__(self, least: str = "0", most: str = "1000000") -> None:
        super().__init__(q.read_ppm(least, 0, q.LARGEST), q.read_ppm(most, 0, q.LARGEST))

    def parse(self, value: Plain) -> int:
        return q.read_ppm(value, self.least, self.most)

    def write(self, value: int) -> Plain:
        return q.write_ppm(value)

    def suffix(self) -> str:
        return "%?"

    def says(self) -> str:
        high = f", at most {self.write(self.most)}" if self.most < 1_000_000 * q.MILLION else ""
        return f"a factor such as `0.1` or `4`{high}"


class Share(Factor):
    """``70%``, between 0 and 100 %; parts per million inside."""

    def __init__(self, least: str = "0%", most: str = "100%") -> None:
        super().__init__(least, most)

    def write(self, value: int) -> Plain:
        return q.write_percent(value)

    def says(self) -> str:
        return f"a share such as `70%`, {self.write(self.least)} to {self.write(self.most)}"


class Percentile(Factor):
    """``95`` or ``99.9``: of how many requests in a hundred."""

    def __init__(self) -> None:
        super().__init__("1", "99.9999")

    def says(self) -> str:
        return "a percentile such as `95` or `99.9`"


class Sum(Notation):
    """``20000 USD``: an amount of money."""

    unit = "money"

    def parse(self, value: Plain) -> q.Money:
        return q.read_money(value)

    def write(self, value: q.Money) -> Plain:
        return q.write_money(value)

    def schema(self) -> Schema:
        return {"type": "string", "x-unit": self.unit}

    def says(self) -> str:
        return "money such as `20000 USD`"


class Price(Notation):
    """``0.15 USD/1M tokens``; nano-units of money a token inside."""

    unit = "money/1M tokens"

    def parse(self, value: Plain) -> q.Money:
        return q.read_price(value)

    def write(self, value: q.Money) -> Plain:
        return q.write_price(value)

    def schema(self) -> Schema:
        pattern = rf"^{DECIMAL}[A-Z]{{3}}\s*/\s*1M tokens\s*$"
        return {"type": "string", "pattern": pattern, "x-unit": self.unit}

    def says(self) -> str:
        return "a price such as `0.15 USD/1M tokens`"


class Instant(Notation):
    """``2026-12-01T00:00:00Z``; microseconds since 1970 inside."""

    unit = "us since 1970"

    def parse(self, value: Plain) -> int:
        return q.read_instant(value)

    def write(self, value: int) -> Plain:
        return q.write_instant(value)

    def schema(self) -> Schema:
        return {"type": "string", "format": "date-time"}

    def says(self) -> str:
        return "an instant such as `2026-12-01T00:00:00Z`"


class Items(Notation):
    """A list of values of one notation."""

    def __init__(self, of: Notation, least: int = 0, most: int = 10_000, *, distinct: bool = True) -> None:
        self.of, self.least, self.most, self.distinct = of, least, most, distinct

    def read(self, value: Plain, path: Path, found: list[Finding]) -> Any:
        try:
            items = self.parse(value)
        except Misread as misread:
            found.append(Finding(misread, path))
            return UNSET
        read: list[Any] = []
        known, before = self.of.known, len(found)
        for i, item in enumerate(items):
            kind = type(item)
            if (kind is str or kind is int) and item in known:
                read.append(known[item])
                continue
            read.append(self.of.read(item, (path, i), found))
            if len(found) > MOST_FINDINGS:
                return UNSET
        if len(found) > before and any(isinstance(item, Unset) for item in read):
            return UNSET
        if self.distinct and len(set(read)) < len(read):
            self._report_repeats(read, path, found)
        return tuple(read)

    def parse(self, value: Plain) -> Any:
        if not isinstance(value, list):
            raise SPEC006_wrong_type.expected("a list", value, remedy=self._alone(value))
        if len(value) < self.least:
            raise SPEC008_out_of_range.too_few(len(value), self.least, "entries")
        if len(value) > self.most:
            raise SPEC008_out_of_range.too_many(len(value), self.most, "entries")
        return value

    def _alone(self, value: Plain) -> Remedy | None:
        """A single entry written without its list."""
        if isinstance(value, dict | None) or self.least > 1:
            return None
        found: list[Finding] = []
        self.of.read(value, None, found)
        return None if found else Remedy("write it as a list", replace=[value], safe=True)

    def _report_repeats(self, read: list[Any], path: Path, found: list[Finding]) -> None:
        seen: set[Any] = set()
        for i, item in enumerate(read):
            if item in seen:
                found.append(Finding(SPEC008_out_of_range.repeated(str(item)), (path, i)))
            seen.add(item)

    def write(self, value: tuple[Any, ...]) -> Plain:
        return list(value) if self.of.writes_as_held else [self.of.write(item) for item in value]

    def schema(self) -> Schema:
        return {"type": "array", "items": self.of.schema(), "minItems": self.least, "maxItems": self.most}

    def says(self) -> str:
        return f"a list, each {self.of.says()}"


class Table(Notation):
    """A mapping whose keys are the author's: labels, multipliers by tier."""

    def __init__(self, key: Notation, of: Notation, most: int = 1000) -> None:
        self.key, self.of, self.most = key, of, most

    def read(self, value: Plain, path: Path, found: list[Finding]) -> Any:
        try:
            entries = self.parse(value)
        except Misread as misread:
            found.append(Finding(misread, path))
            return UNSET
        table: dict[str, Any] = {}
        before = len(found)
        for key, item in entries.items():
            try:
                self.key.parse(key)
            except Misread as misread:
                misread.on = "key"
                found.append(Finding(misread, (path, key)))
            table[key] = self.of.read(item, (path, key), found)
        return table if len(found) == before else UNSET

    def parse(self, value: Plain) -> Any:
        if not isinstance(value, dict):
            raise SPEC006_wrong_type.expected("a mapping", value)
        if len(value) > self.most:
            raise SPEC008_out_of_range.too_many(len(value), self.most, "entries")
        return value

    def write(self, value: dict[str, Any]) -> Plain:
        return {key: self.of.write(item) for key, item in value.items()}

    def schema(self) -> Schema:
        return {
            "type": "object",
            "propertyNames": self.key.schema(),
            "additionalProperties": self.of.schema(),
            "maxProperties": self.most,
        }

    def says(self) -> str:
        return f"a mapping from {self.key.says()} to {self.of.says()}"
