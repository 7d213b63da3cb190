"""What had an engine counted when its /metrics was scraped, and how much between two scrapes?

Series of one name are added up: replicas of an engine that runs data-parallel show a series each, and their
sum is what the formulas want.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf, isfinite

from coordination.calibration.evidence import EvidenceError
from coordination.engines.page import samples

_SUMS = (b"_count", b"_sum")


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
    """``wanted``: counters, and histograms by their family's name. Raises ``EvidenceError``: what a fit rests
    on is believed whole or not at all."""
    names = {name.encode(): name for name in (*wanted, *told_by_labels)}
    buckets = {b"%b_bucket" % name: told for name, told in names.items()}
    sums = {
        b"%b%b" % (name, part): f"{told}{part.decode()}" for name, told in names.items() for part in _SUMS
    }
    found = samples(data, names.keys() | buckets.keys() | sums.keys())
    if found.refused is not None:
        raise EvidenceError(file, 0, found.refused)
    for name, why in found.spoiled.items():
        raise EvidenceError(file, 0, f"{name.decode()}: {why}")
    page = Page(file)
    by_labels = frozenset(told_by_labels)
    for name, series in found.series.items():
        if name in buckets:
            counts = page.buckets.setdefault(buckets[name], {})
            for one in series:
                upper = _bound(file, one.labels.get("le", ""))
                counts[upper] = counts.get(upper, 0.0) + _counted(file, name, one.value)
            continue
        told = names.get(name) or sums[name]
        if told in by_labels:
            page.labels[told] = series[0].labels
        else:
            page.values[told] = sum(_counted(file, name, one.value) for one in series)
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


def _bound(file: str, text: str) -> float:
    try:
        return inf if text == "+Inf" else float(text)
    except ValueError:
        raise EvidenceError(file, 0, f"a bucket up to `{text[:40]}`") from None


def _counted(file: str, name: bytes, value: float) -> float:
    if value < 0:
        raise EvidenceError(file, 0, f"{name.decode()}: {value:g} is nothing that was counted")
    return value
