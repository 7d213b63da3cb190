"""Which pools serve a reservation, and how much of it does each of them promise? (R8)

A reservation of a pool is that pool's alone. One of a model, in regions or everywhere, is divided over the
pools that serve the model there: each gives the same part of what it may promise, of its input and of its
output. So of two pools alike each gives half, and if the rates fit the reservable capacity of all pools
together, they fit every one of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.spec.kinds import Pool, Reservation


class Portion(NamedTuple):
    """What one pool promises of a reservation, in tokens a minute."""

    pool: str
    input: int
    output: int


class Division:
    """Reservations divided over the pools of one environment."""

    def __init__(self, pools: Mapping[str, Entry[Pool]]) -> None:
        self.pools = pools
        self._of_model: dict[str, list[Entry[Pool]]] = {}
        for pool in pools.values():
            self._of_model.setdefault(pool.spec.model, []).append(pool)

    def pools_of(self, reservation: Reservation) -> list[Entry[Pool]]:
        """The pools that serve it, by name; those that are named but not known are left out."""
        if reservation.pool is not None:
            known = self.pools.get(reservation.pool)
            return [] if known is None else [known]
        regions = reservation.regions
        serving = self._of_model.get(reservation.model or "", ())
        return [pool for pool in serving if not regions or pool.spec.region in regions]

    def model_of(self, reservation: Reservation) -> str | None:
        """The model it promises tokens of; None when its pool is not known."""
        if reservation.pool is None:
            return reservation.model
        pool = self.pools.get(reservation.pool)
        return None if pool is None else pool.spec.model

    def portions(self, reservation: Reservation) -> list[Portion]:
        """What each pool promises, by pool; pools that promise nothing are left out if another does."""
        pools = self.pools_of(reservation)
        rates = reservation.throughput
        if len(pools) <= 1:
            return [Portion(pool.name, rates.input, rates.output) for pool in pools]
        inputs = divide(rates.input, [_promisable(pool.spec)[0] for pool in pools])
        outputs = divide(rates.output, [_promisable(pool.spec)[1] for pool in pools])
        divided = [
            Portion(pool.name, of_input, of_output)
            for pool, of_input, of_output in zip(pools, inputs, outputs, strict=True)
        ]
        return [portion for portion in divided if portion.input or portion.output] or divided[:1]


def division_of(catalogue: Catalogue) -> Division:
    """Over the pools of a catalogue; a question."""
    return Division(catalogue.pools)


def portions_of(catalogue: Catalogue) -> dict[str, tuple[Portion, ...]]:
    """What each pool promises, of each reservation by name; a question."""
    division = catalogue.ask(division_of)
    return {name: tuple(division.portions(entry.spec)) for name, entry in catalogue.reservations.items()}


def divide(total: int, weights: Sequence[int]) -> list[int]:
    """``total`` in parts as the weights are, to the last token: what is left over goes where most is missing.

    The first of two that miss as much has it; without any weight, all count alike.
    """
    weights = weights if any(weights) else [1] * len(weights)
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    missing = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for i in missing[: total - sum(parts)]:
        parts[i] += 1
    return parts


def whole_capacity(pool: Pool) -> tuple[int, int]:
    """Input and output tokens a minute of all replicas together."""
    count = pool.replicas.planned
    capacity = pool.capacity
    return (capacity.input * count, capacity.output * count) if capacity else (0, 0)


def _promisable(pool: Pool) -> tuple[int, int]:
    """What a pool may promise, in millionths of a token a minute."""
    inputs, outputs = whole_capacity(pool)
    return inputs * pool.reservable, outputs * pool.reservable
