"""What does a page of an engine's /metrics say? Prometheus' text format, series of one name added up.

Only names that are asked for are kept: replicas of an engine that runs data-parallel show a series each, and
their sum is what the formulas want.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite
from typing import Final

from coordination.calibration.evidence import EvidenceError

MOST_BYTES: Final = 32 << 20
"""Of one page."""


@dataclass(slots=True)
class Page:
    """The samples of one scrape."""

    file: str
    values: dict[str, float] = field(default_factory=dict)
    buckets: dict[str, dict[float, float]] = field(default_factory=dict)
    """Histogram -> upper bound -> how many at most so large."""
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of gauges that say it all in their labels."""


def read_page(file: str, data: bytes, wanted: Iterable[str], told_by_labels: Iterable[str] = ()) -> Page:
    """Raises ``EvidenceError``. ``wanted`` counts a histogram by its family's name."""
    if len(data) > MOST_BYTES:
        raise EvidenceError(file, 0, f"more than {MOST_BYTES >> 20} MiB: not a page of metrics")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise EvidenceError(file, 0, "not UTF-8 text") from None
    page = Page(file)
    kept, by_labels = frozenset(wanted), frozenset(told_by_labels)
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line[0] == "#":
            continue
        name = _name(line)
        if name in by_labels:
            page.labels.setdefault(name, _labels(file, number, line[len(name) :])[0])
            continue
        family, part = _family(name)
        if name not in kept and family not in kept:
            continue
        labels, rest = _labels(file, number, line[len(name) :])
        value = _value(file, number, rest)
        if part == "_bucket" and family in kept:
            bound = labels.get("le", "")
            try:
                upper = inf if bound == "+Inf" else float(bound)
            except ValueError:
                raise EvidenceError(file, number, f"a bucket up to `{bound[:40]}`") from None
            counts = page.buckets.setdefault(family, {})
            counts[upper] = counts.get(upper, 0.0) + value
        else:
            page.values[name] = page.values.get(name, 0.0) + value
    return page


def increase(before: Page, after: Page, name: str) -> float:
    return after.values.get(name, 0.0) - before.values.get(name, 0.0)


def spread(before: Page, after: Page, family: str) -> list[tuple[float, float]]:
    """(share, value) of each bucket of what a histogram took in between two pages; empty if nothing.

    A value is its bucket's middle, all scaled so that their mean is the histogram's own, which is exact.
    """
    count = increase(before, after, f"{family}_count")
    total = increase(before, after, f"{family}_sum")
    ends: Mapping[float, float] = after.buckets.get(family, {})
    begins: Mapping[float, float] = before.buckets.get(family, {})
    found: list[tuple[float, float]] = []
    lower = below = 0.0
    for upper in sorted(ends):
        up_to = ends[upper] - begins.get(upper, 0.0)
        here, below = up_to - below, up_to
        top = upper if isfinite(upper) else 2 * lower
        if here > 0 and count > 0:
            found.append((here / count, (lower + top) / 2))
        lower = top
    mean = sum(share * value for share, value in found)
    if count <= 0 or total <= 0 or mean <= 0:
        return []
    scale = total / count / mean
    return [(share, value * scale) for share, value in found]


def moments(before: Page, after: Page, family: str) -> tuple[float, float]:
    """(mean, mean of squares) of what a histogram took in between two pages; zeros if nothing."""
    found = spread(before, after, family)
    return sum(share * value for share, value in found), sum(share * value**2 for share, value in found)


def _name(line: str) -> str:
    end = min((at for at in (line.find("{"), line.find(" ")) if at >= 0), default=len(line))
    return line[:end]


def _family(name: str) -> tuple[str, str]:
    for part in ("_bucket", "_count", "_sum"):
        if name.endswith(part):
            return name[: -len(part)], part
    return name, ""


def _labels(file: str, number: int, rest: str) -> tuple[dict[str, str], str]:
    """Labels between braces, and what follows them."""
    found: dict[str, str] = {}
    if not rest.startswith("{"):
        return found, rest
    at = 1
    while at < len(rest) and rest[at] != "}":
        equals = rest.find('="', at)
        if equals < 0:
            break
        value: list[str] = []
        place = equals + 2
        while place < len(rest) and rest[place] != '"':
            if rest[place] == "\\" and place + 1 < len(rest):
                place += 1
            value.append(rest[place])
            place += 1
        found[rest[at:equals].strip(" ,")] = "".join(value)
        at = place + 1
        while at < len(rest) and rest[at] in ", ":
            at += 1
    if at >= len(rest) or rest[at] != "}":
        raise EvidenceError(file, number, "labels without an end")
    return found, rest[at + 1 :]


def _value(file: str, number: int, rest: str) -> float:
    parts = rest.split()
    try:
        value = float(parts[0])
    except (IndexError, ValueError):
        raise EvidenceError(file, number, "a sample without a number") from None
    if not isfinite(value) or value < 0:
        raise EvidenceError(file, number, f"{parts[0][:40]} is nothing that was counted")
    return value
