"""Where are a tier's requests served, and how fast could its pools be at the very best?

The floor of a pool is a replica that does nothing else: no queue, no other request in its batch. Where the
capacity model knows the profile it is asked; elsewhere the stated rates are taken at their word.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from coordination.capacity import PROFILES, prefill_floor, step_time
from coordination.compiler.catalogue import Catalogue, Entry
from coordination.program.records import MILLION, Micros
from coordination.spec.kinds import Pool, Tier
from coordination.spec.kinds.objective import USUAL_PERCENTILE, Objective
from coordination.spec.quantities import LARGEST, write_duration

MINUTE: Micros = 60 * MILLION


class Promise(NamedTuple):
    """One objective of a tier, with its place."""

    tier: Entry[Tier]
    place: int
    """Among the tier's objectives."""
    objective: Objective

    @property
    def path(self) -> str:
        return f"/spec/objectives/{self.place}"

    @property
    def target(self) -> Micros:
        return self.objective.target.time or 0

    @property
    def percentile(self) -> int:
        return self.objective.percentile or USUAL_PERCENTILE

    @property
    def said(self) -> str:
        """The metric, with the class it is promised for."""
        length = self.objective.uncached_input
        return f"{self.objective.metric}{f' for {length.says}' if length is not None else ''}"

    def tokens(self, window: int) -> int:
        """The longest uncached prompt it speaks of that fits into ``window``; where it names none, the
        shortest there is."""
        length = self.objective.uncached_input
        if length is None:
            return 1
        return min(window, length.max) if length.max is not None else max(1, length.min)


class Floor(NamedTuple):
    """The least that a pool takes for what a promise speaks of."""

    pool: Entry[Pool]
    tokens: int
    """Of the uncached prompt."""
    least: Micros | None
    """``None``: nothing is known."""


def carried(objective: Objective) -> bool:
    """Whether a gateway must know of it: what is not said of all requests alike, and what reservations build
    on. The rest is read off what gateways measure anyway."""
    return objective.metric in ("ttft", "deadline") or objective.uncached_input is not None


def promises(tier: Entry[Tier], *metrics: str) -> Iterator[Promise]:
    """The objectives of a tier that measure one of these."""
    for i, objective in enumerate(tier.spec.objectives):
        if objective.metric in metrics:
            yield Promise(tier, i, objective)


def pools_by_tier(catalogue: Catalogue) -> dict[str, list[Entry[Pool]]]:
    """The pools that routes send a tier's requests to at first, by name."""
    return catalogue.ask(_pools_by_tier)


def _pools_by_tier(catalogue: Catalogue) -> dict[str, list[Entry[Pool]]]:
    known, tiers = catalogue.pools, sorted(catalogue.names("Tier"))
    found: dict[str, dict[str, Entry[Pool]]] = {name: {} for name in tiers}
    for route in catalogue.routes.values():
        pools = {t.pool: known[t.pool] for t in route.spec.targets if t.weight and t.pool in known}
        for tier in route.spec.match.tiers or tiers:
            if tier in found:
                found[tier] |= pools
    return {name: [pools[each] for each in sorted(pools)] for name, pools in found.items()}


def windows(catalogue: Catalogue, pools: Iterable[Entry[Pool]]) -> list[int]:
    """Tokens that a request of each pool's model may have; of a model nobody knows, any number."""
    known = catalogue.models
    return [known[p.spec.model].spec.context_window if p.spec.model in known else LARGEST for p in pools]


def floors(catalogue: Catalogue, promise: Promise, pools: list[Entry[Pool]]) -> list[Floor]:
    """Of every pool whose model takes a prompt of the promise's class."""
    length = promise.objective.uncached_input
    least = 0 if length is None else length.min
    return [
        Floor(pool, promise.tokens(window), floor(pool, promise.objective.metric, promise.tokens(window)))
        for pool, window in zip(pools, windows(catalogue, pools), strict=True)
        if least <= window
    ]


def floor(pool: Entry[Pool], metric: str, tokens: int) -> Micros | None:
    """The least a metric can be for an uncached prompt of so many tokens; None where nothing is known."""
    profile, capacity = PROFILES.get(pool.spec.profile), pool.spec.capacity
    if metric in ("itl", "tpot"):
        return round(step_time(profile, decodes=1, decode_context=tokens) * MILLION) if profile else None
    if profile is not None:
        return round(prefill_floor(profile, tokens) * MILLION)
    return tokens * MINUTE // capacity.input if capacity is not None else None


def shown(time: Micros) -> str:
    """A floor as a person reads it: to a thousandth or so of itself."""
    return write_duration(time) if time % 1000 == 0 else f"{time / 1000:.4g}ms"


def prompt_of(tokens: int) -> str:
    return "a prompt of 1 token" if tokens == 1 else f"a prompt of {tokens:,} tokens"
