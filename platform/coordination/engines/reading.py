"""What does a metrics page mean: how many run, how many wait, how full is the cache, which adapters?

What is not on the page, or not to be believed, is unknown (``None``) and never zero: a gateway then goes by
its own counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from coordination.engines.dictionary import DIALECTS, FIRST_ASKED, Dialect, Measure, Metric, Ways, spellings
from coordination.engines.page import Page, Sample, samples
from coordination.program.records import MILLION, Ppm

MODEL_LABELS: Final = ("model_name", "model")
MOST: Final = 10**15
"""No count of tokens or requests is larger."""
MOST_ADAPTERS: Final = 1000
_NAMES: Final = {dialect.engine: dialect.names() for dialect in DIALECTS}
_ALL: Final = frozenset[bytes]().union(*_NAMES.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """One page, read."""

    engine: str | None = None
    """Whose names are on it; ``None`` where it is nobody's, or several engines' at once."""
    running: int | None = None
    waiting: int | None = None
    kv_used_ppm: Ppm | None = None
    kv_capacity: int | None = None
    """Tokens."""
    queried_tokens: int | None = None
    """Prompt tokens looked up in the prefix cache since the engine started."""
    cached_tokens: int | None = None
    adapters: frozenset[str] | None = None
    """Those that requests run or wait with at this moment."""
    doubts: tuple[str, ...] = ()
    """What was on the page and was not believed, as sentences."""


def read(page: bytes, engine: str = "openai", model: str = "") -> Reading:
    """Read a page of a Pool's ``engine``. ``model``: what clients call the model, should several be served
    there. Never raises."""
    found = samples(page, _ALL)
    if found.refused is not None:
        return Reading(doubts=(found.refused,))
    speaks = [one for one in DIALECTS if not _NAMES[one.engine].isdisjoint(found.series)]
    expected = FIRST_ASKED.get(engine)
    if expected in speaks:
        dialect = expected
    elif len(speaks) == 1:
        (dialect,) = speaks
    else:
        several = ", ".join(one.engine for one in speaks)
        return Reading(doubts=(f"metrics of several engines: {several}",) if speaks else ())
    return _Reader(found, dialect, model).reading()


class _Reader:
    """One page, one dialect."""

    def __init__(self, page: Page, dialect: Dialect, model: str) -> None:
        self._page = page
        self._dialect = dialect
        self._model = model
        self._doubts: list[str] = []

    def reading(self) -> Reading:
        said = self._dialect
        kv_used = self._first(said.kv_used)
        if kv_used is not None and kv_used > 1:
            self._doubts.append(f"KV cache in use: {kv_used:g} is more than all of it")
            kv_used = None
        queried, cached = self._count(said.queried), self._count(said.cached)
        if queried is not None and cached is not None and cached > queried:
            self._doubts.append("more prompt tokens found in the cache than looked up")
            queried = cached = None
        return Reading(
            engine=said.engine,
            running=self._count(said.running),
            waiting=self._count(said.waiting),
            kv_used_ppm=None if kv_used is None else round(kv_used * MILLION),
            kv_capacity=self._count(said.kv_capacity) or None,
            queried_tokens=queried,
            cached_tokens=cached,
            adapters=self._adapters(),
            doubts=tuple(dict.fromkeys(self._doubts)),
        )

    def _count(self, ways: Ways) -> int | None:
        value = self._first(ways)
        return None if value is None else round(value)

    def _first(self, ways: Ways) -> float | None:
        for way in ways:
            if any(self._spelling(metric) is not None for metric in way.of):
                return self._measure(way)
        return None

    def _measure(self, way: Measure) -> float | None:
        total = 0.0
        for metric in way.of:
            value = self._metric(metric)
            if value is None:
                return None
            total += value
        for metric in way.plus:
            if self._spelling(metric) is not None:
                value = self._metric(metric)
                if value is None:
                    return None
                total += value
        if way.times is not None:
            factor = self._metric(way.times)
            if factor is None:
                return None
            total *= factor
        return total if total <= MOST else None

    def _spelling(self, metric: Metric) -> bytes | None:
        series = self._page.series
        return next((name for name in spellings(metric.name, self._dialect.family) if name in series), None)

    def _metric(self, metric: Metric) -> float | None:
        name = self._spelling(metric)
        if name is None:
            return None
        why = self._page.spoiled.get(name)
        if why is not None:
            self._doubts.append(f"{name.decode()}: {why}")
            return None
        chosen = [
            sample
            for sample in self._page.series[name]
            if all(sample.labels.get(label, "") == value for label, value in metric.where)
        ]
        chosen = self._of_model(name, chosen)
        parts: dict[tuple[tuple[str, str], ...], float] = {}
        for sample in chosen:
            value = _product(sample, metric.product) if metric.product else sample.value
            if value is None or value < 0:
                self._doubts.append(f"{name.decode()}: a value that cannot be")
                return None
            key = tuple(pair for pair in sample.labels.items() if pair[0] not in self._dialect.copies)
            parts[key] = max(value, parts.get(key, 0.0))
        if not parts:
            return None
        return max(parts.values()) if metric.combine == "max" else sum(parts.values())

    def _of_model(self, name: bytes, chosen: list[Sample]) -> list[Sample]:
        """Of several models on one page only ours."""
        label = next((one for one in MODEL_LABELS if any(one in s.labels for s in chosen)), None)
        if label is None:
            return chosen
        models = {sample.labels.get(label, "") for sample in chosen}
        if len(models) == 1:
            return chosen
        if self._model in models:
            return [sample for sample in chosen if sample.labels.get(label) == self._model]
        self._doubts.append(f"{name.decode()}: of several models, none of which is {self._model or 'known'}")
        return []

    def _adapters(self) -> frozenset[str] | None:
        for said, labels in self._dialect.adapters:
            found = [
                sample
                for name in spellings(said, self._dialect.family)
                if name not in self._page.spoiled
                for sample in self._page.series.get(name, ())
            ]
            if found:
                # A series for each set there ever was, each with the time it was last so.
                latest = max(found, key=lambda sample: sample.value)
                listed = ",".join(latest.labels.get(label, "") for label in labels).split(",")
                return frozenset([name.strip() for name in listed if name.strip()][:MOST_ADAPTERS])
        return None


def _product(sample: Sample, labels: tuple[str, ...]) -> float | None:
    product = 1
    for label in labels:
        text = sample.labels.get(label, "")
        if not text.isdecimal() or len(text) > 12:
            return None
        product *= int(text)
    return product
