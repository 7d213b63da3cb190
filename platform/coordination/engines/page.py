"""Which samples of a metrics page are wanted, and which of them can be believed?

A page in Prometheus' text format holds hundreds of series of which a gateway reads a dozen, once a second
for each replica: a line whose name nobody wants costs one look into a dictionary. A line that is wanted is
read strictly; one that is broken, or a series that is there twice, spoils its name, because a sum over the
rest would be a number the engine never meant.

A page is hostile until read: its size, its lines and the length of each have limits.
"""

from __future__ import annotations

import re
from collections.abc import Container
from dataclasses import dataclass, field
from functools import lru_cache
from math import isfinite
from typing import NamedTuple

PAGE_LIMIT = 4 * 1024 * 1024
MOST_LINES = 65_536
"""Sixteen engines' pages in one have a fifth of that."""
LINE_LIMIT = 8 * 1024
MOST_SERIES = 1024
"""Of one name: ranks, models and reasons together."""

_LABELS = re.compile(rb'\{((?:[^"{}]|"(?:[^"\\]|\\.)*")*)\}')
_LABEL = re.compile(rb'[ \t]*([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"[ \t]*(?:,|\Z)')
_ESCAPED = re.compile(r"\\(.)")

Labels = tuple[tuple[str, str], ...]


class Sample(NamedTuple):
    """One series: labels by name, and a finite value."""

    labels: dict[str, str]
    value: float


@dataclass(slots=True)
class Page:
    """What was wanted of a page and found on it, by the name as it stands there."""

    series: dict[bytes, list[Sample]] = field(default_factory=dict)
    spoiled: dict[bytes, str] = field(default_factory=dict)
    """Name -> why none of its values counts."""
    refused: str | None = None
    """Why nothing of the page was read."""


def samples(page: bytes, wanted: Container[bytes]) -> Page:
    """The series of the ``wanted`` names. Never raises: what cannot be read is said in the result."""
    found = Page()
    if len(page) > PAGE_LIMIT:
        found.refused = f"the page has more than {PAGE_LIMIT} bytes"
        return found
    if page.count(b"\n") > MOST_LINES:
        found.refused = f"the page has more than {MOST_LINES} lines"
        return found
    seen: set[tuple[bytes, Labels]] = set()
    for line in page.split(b"\n"):
        if line[:1] == b"#":
            continue
        brace = line.find(b"{")
        name = line[:brace].rstrip() if brace >= 0 else line.split(None, 1)[0] if line.strip() else b""
        if name not in wanted or name in found.spoiled:
            continue
        why = _take(line, name, brace, found.series.setdefault(name, []), seen)
        if why is not None:
            found.spoiled[name] = why
    return found


def _take(
    line: bytes, name: bytes, brace: int, series: list[Sample], seen: set[tuple[bytes, Labels]]
) -> str | None:
    """Read a line that is wanted into ``series``; why it cannot be, if so."""
    if len(line) > LINE_LIMIT:
        return f"a line has more than {LINE_LIMIT} bytes"
    if len(series) >= MOST_SERIES:
        return f"more than {MOST_SERIES} series"
    labels: Labels = ()
    rest = line[len(name) :]
    if brace >= 0:
        closed = _LABELS.match(line, brace)
        read = _labels(closed.group(1)) if closed is not None else None
        if closed is None or read is None:
            return "labels that cannot be read"
        labels, rest = read, line[closed.end() :]
    value = _value(rest)
    if value is None:
        return "a value that is no finite number"
    if (name, labels) in seen:
        return "a series that is there twice"
    seen.add((name, labels))
    series.append(Sample(dict(labels), value))
    return None


@lru_cache(maxsize=1024)
def _labels(text: bytes) -> Labels | None:
    """Sorted pairs; ``None`` where the text between the braces is not a list of labels. Series keep their
    labels from one page to the next, so that they are read once."""
    found: dict[str, str] = {}
    position = 0
    while position < len(text):
        label = _LABEL.match(text, position)
        if label is None:
            return None if text[position:].strip() else tuple(sorted(found.items()))
        name = label.group(1).decode()
        if name in found:
            return None
        try:
            value = label.group(2).decode()
        except UnicodeDecodeError:
            return None
        found[name] = _ESCAPED.sub(_unescaped, value) if "\\" in value else value
        position = label.end()
    return tuple(sorted(found.items()))


def _unescaped(escape: re.Match[str]) -> str:
    return "\n" if escape.group(1) == "n" else escape.group(1)


def _value(rest: bytes) -> float | None:
    """The number behind the labels; a timestamp or an exemplar may follow it."""
    numbers = rest.partition(b"#")[0].split()
    if not 1 <= len(numbers) <= 2:
        return None
    try:
        value = float(numbers[0])
    except ValueError:
        return None
    return value if isfinite(value) and b"_" not in numbers[0] else None
