"""What of a policy has a window of time? Reservations, and the scheduled changes of limits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.windows import Interval, intervals
from coordination.spec import Document
from coordination.spec.kinds.reservation import Window


class Timed(NamedTuple):
    """A window, and whose it is."""

    document: Document
    place: str
    """Pointer of the window."""
    name: str
    """For a sentence: ``reservation `x```, or ``a scheduled limit of `x```."""
    window: Window

    def in_force(self, catalogue: Catalogue) -> tuple[Interval, ...]:
        return intervals(self.window, catalogue.at, catalogue.horizon)


def timed(catalogue: Catalogue) -> tuple[Timed, ...]:
    """Every window of an environment, by kind and name."""
    return catalogue.ask(_all)


def recurring(catalogue: Catalogue) -> tuple[Timed, ...]:
    """Those that recur."""
    return catalogue.ask(_recurring)


def _all(catalogue: Catalogue) -> tuple[Timed, ...]:
    return tuple(_windows(catalogue))


def _recurring(catalogue: Catalogue) -> tuple[Timed, ...]:
    return tuple(each for each in timed(catalogue) if each.window.recurs is not None)


def _windows(catalogue: Catalogue) -> Iterator[Timed]:
    for quota in catalogue.quotas.values():
        for i, limit in enumerate(quota.spec.limits):
            for j, change in enumerate(limit.scheduled):
                place = f"/spec/limits/{i}/scheduled/{j}/window"
                yield Timed(quota.document, place, f"a scheduled limit of `{quota.name}`", change.window)
    for held in catalogue.reservations.values():
        yield Timed(held.document, "/spec/window", f"reservation `{held.name}`", held.spec.window)
