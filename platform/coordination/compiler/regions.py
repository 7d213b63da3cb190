"""Which requests does a route match, as a set that can be intersected and subtracted exactly?

A region is a box: models x tiers x tenants x an interval of prompt lengths. The three sets are bit
masks over the names a catalogue knows, so ten thousand tenants intersect in a microsecond. Nothing is
sampled: containment, overlap and gaps are exact over the known names.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from coordination.spec.kinds import Route
from coordination.spec.kinds.route import Match
from coordination.spec.kinds.tenant import ancestors

if TYPE_CHECKING:
    from coordination.compiler.catalogue import Catalogue, Entry

ENDLESS = 2**53
"""Past every prompt."""
MOST_ROUTES = 5_000
"""Routes are compared pair by pair: with more of them none is, and SPEC003 says so."""
MOST_PIECES = 512
"""Subtraction gives up on a region that falls into more pieces: it then counts as not covered."""


class Region(NamedTuple):
    """A box of requests; ``low <= prompt tokens < high``."""

    models: int
    tiers: int
    tenants: int
    low: int
    high: int

    @property
    def empty(self) -> bool:
        return not (self.models and self.tiers and self.tenants and self.low < self.high)

    def meet(self, other: Region) -> Region:
        return Region(
            self.models & other.models,
            self.tiers & other.tiers,
            self.tenants & other.tenants,
            max(self.low, other.low),
            min(self.high, other.high),
        )

    def meets(self, other: Region) -> bool:
        """Whether ``meet`` is not empty; the long masks come last."""
        return bool(
            self.models & other.models
            and self.tiers & other.tiers
            and self.low < other.high
            and other.low < self.high
            and self.low < self.high
            and other.low < other.high
            and self.tenants & other.tenants
        )

    def minus(self, other: Region) -> Iterator[Region]:
        """What is left of this box without the other: at most five disjoint boxes."""
        both = self.meet(other)
        if both.empty:
            yield self
            return
        rest = self
        for axis in ("models", "tiers", "tenants"):
            outside = getattr(rest, axis) & ~getattr(other, axis)
            if outside:
                yield rest._replace(**{axis: outside})
            rest = rest._replace(**{axis: getattr(both, axis)})
        if rest.low < both.low:
            yield rest._replace(high=both.low)
        if both.high < rest.high:
            yield rest._replace(low=both.high)


def uncovered(region: Region, others: Iterable[Region]) -> list[Region]:
    """What is left of a region without all the others; stops early when it falls into too many pieces."""
    left = [region]
    for other in others:
        left = [piece for box in left for piece in box.minus(other)]
        if not left or len(left) > MOST_PIECES:
            break
    return left


class Axis:
    """Names as bits."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)
        self.bits = {name: 1 << i for i, name in enumerate(self.names)}
        self.all = (1 << len(self.names)) - 1

    def mask(self, names: Iterable[str]) -> int:
        """The names as a mask; unknown ones are left out."""
        mask = 0
        for name in names:
            mask |= self.bits.get(name, 0)
        return mask

    def first(self, mask: int) -> str:
        """The first name of a mask that is not empty."""
        return self.names[(mask & -mask).bit_length() - 1]

    def members(self, mask: int, most: int) -> list[str]:
        """The first names of a mask."""
        found: list[str] = []
        while mask and len(found) < most:
            found.append(self.first(mask))
            mask &= mask - 1
        return found


def axis(catalogue: Catalogue, kind: str) -> Axis:
    """The names of a kind as bits."""
    return Axis(catalogue.names(kind))


def subtrees(catalogue: Catalogue) -> dict[str, int]:
    """Each tenant together with all below it."""
    bits = catalogue.ask(axis, "Tenant").bits
    masks = dict(bits)
    for name, bit in bits.items():
        for ancestor in ancestors(name):
            masks[ancestor] = masks.get(ancestor, 0) | bit
    return masks


class Space:
    """All requests a catalogue knows of, and the region of each of its routes."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.models, self.tiers, self.tenants = (catalogue.ask(axis, k) for k in ("Model", "Tier", "Tenant"))
        self._subtrees = catalogue.ask(subtrees)
        self.routes: list[tuple[Entry[Route], Region]] = [
            (entry, self._region(entry.spec.match, catalogue.tenants_of(entry.spec.match)))
            for entry in sorted(catalogue.routes.values(), key=lambda e: (e.spec.rank, e.name))
        ]
        """By rank, then name."""

    def _region(self, match: Match, names: Iterable[str]) -> Region:
        """What a route matches. An empty list matches all; a tenant matches with its descendants."""
        tokens = match.prompt_tokens
        tenants = 0
        for name in names:
            tenants |= self._subtrees.get(name, 0)
        return Region(
            self.models.mask(match.models) if match.models else self.models.all,
            self.tiers.mask(match.tiers) if match.tiers else self.tiers.all,
            tenants if match.tenants or match.labels else self.tenants.all,
            tokens.min,
            ENDLESS if tokens.max is None else tokens.max,
        )

    def requests_of(self, model: str, tier: str) -> Region:
        """Everything that is asked of a model in a tier."""
        return Region(self.models.mask([model]), self.tiers.mask([tier]), self.tenants.all, 0, ENDLESS)

    def subtree(self, tenant: str) -> int:
        """A tenant and its descendants, as a mask."""
        return self._subtrees.get(tenant, 0)

    def by_model(self) -> dict[int, list[tuple[Entry[Route], Region]]]:
        """Routes in order, by the bit of each model they match: only those can meet."""
        found: dict[int, list[tuple[Entry[Route], Region]]] = {}
        for entry, region in self.routes:
            mask = region.models
            while mask:
                bit = mask & -mask
                found.setdefault(bit, []).append((entry, region))
                mask ^= bit
        return found

    def witness(self, region: Region) -> str:
        """A request of a region, in words."""
        return (
            f"model `{self.models.first(region.models)}`, tier `{self.tiers.first(region.tiers)}`, "
            f"tenant `{self.tenants.first(region.tenants)}`, {region.low:,} prompt tokens"
        )


def implied(wide: Match, narrow: Match) -> bool:
    """Whether what is no side of the box (region, session, headers) lets in all that the other lets in."""
    return (
        (not wide.regions or (bool(narrow.regions) and set(narrow.regions) <= set(wide.regions)))
        and wide.session in (None, narrow.session)
        and wide.headers.items() <= narrow.headers.items()
    )


def apart(one: Match, other: Match) -> bool:
    """Whether what is no side of the box keeps two routes from ever matching the same request."""
    return (
        (bool(one.regions and other.regions) and set(one.regions).isdisjoint(other.regions))
        or (one.session is not None and other.session is not None and one.session != other.session)
        or any(other.headers.get(name, value) != value for name, value in one.headers.items())
    )


def before(routes: Sequence[tuple[Entry[Route], Region]], rank: int) -> Iterator[tuple[Entry[Route], Region]]:
    """The routes of a sorted list with a lesser rank."""
    for entry, region in routes:
        if entry.spec.rank >= rank:
            return
        yield entry, region
