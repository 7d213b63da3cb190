"""Which objects does one environment see, and how are they found by name? (The resolve step.)"""

from __future__ import annotations

from functools import cached_property
from typing import Generic, TypeVar, cast

from coordination.compiler.regions import Space
from coordination.compiler.windows import HORIZON, Interval, intervals
from coordination.diagnostics import Location, ObjectRef
from coordination.program.records import Micros
from coordination.spec import Document, PolicySet
from coordination.spec.declaration import Mention
from coordination.spec.kinds import (
    Expectation,
    Model,
    Pool,
    PriceBook,
    Quota,
    Reservation,
    Route,
    Tenant,
    Tier,
)
from coordination.spec.kinds.route import Match
from coordination.spec.kinds.tenant import ancestors
from coordination.spec.plain import Path

S = TypeVar("S")


class Entry(Generic[S]):
    """A document together with its value's type."""

    __slots__ = ("document", "name", "spec")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.name = document.name
        self.spec = cast(S, document.spec)

    @property
    def ref(self) -> ObjectRef:
        return self.document.ref

    def locate(self, path: Path | str) -> Location:
        return self.document.locate(path)


class Catalogue:
    """The documents of one environment by kind and name, each mapping sorted by name."""

    def __init__(
        self, policy_set: PolicySet, environment: str | None, at: Micros, horizon: Micros = HORIZON
    ) -> None:
        self.environment = environment
        self.at = at
        """The instant the policy is looked at."""
        self.horizon = at + horizon
        """The instant up to which recurrences are looked at."""
        self.policy_set = policy_set
        self.documents = [d for d in policy_set.documents if d.applies_in(environment)]
        by_kind: dict[str, dict[str, Document]] = {}
        for document in self.documents:
            by_kind.setdefault(document.kind, {})[document.name] = document
        self.by_kind = by_kind
        self.models: dict[str, Entry[Model]] = self._entries("Model")
        self.pools: dict[str, Entry[Pool]] = self._entries("Pool")
        self.tenants: dict[str, Entry[Tenant]] = self._entries("Tenant")
        self.tiers: dict[str, Entry[Tier]] = self._entries("Tier")
        self.reservations: dict[str, Entry[Reservation]] = self._entries("Reservation")
        self.quotas: dict[str, Entry[Quota]] = self._entries("Quota")
        self.price_books: dict[str, Entry[PriceBook]] = self._entries("PriceBook")
        self.routes: dict[str, Entry[Route]] = self._entries("Route")
        self.expectations: dict[str, Entry[Expectation]] = self._entries("Expectation")

    def _entries(self, kind: str) -> dict[str, Entry[S]]:
        return {name: Entry(document) for name, document in self.by_kind.get(kind, {}).items()}

    def knows(self, kind: str, name: str) -> bool:
        """Whether the object exists, or would if its document could be read."""
        return name in self.by_kind.get(kind, ()) or ObjectRef(kind, name) in self.policy_set.broken

    @cached_property
    def space(self) -> Space:
        """All requests the catalogue knows of, and what each route matches."""
        return Space(self)

    @cached_property
    def windows(self) -> dict[str, tuple[Interval, ...]]:
        """When each reservation is in force; what is over by ``at`` is still told unless it recurs."""
        return {
            name: intervals(entry.spec.window, self.at, self.horizon)
            for name, entry in self.reservations.items()
        }

    def tenants_of(self, match: Match) -> list[str]:
        """The tenants a route is for, each with its descendants; none named means all, if no label is asked.

        A label speaks of the tenant that has it and of all below it, as a name does.
        """
        if not match.labels:
            return list(match.tenants)
        wanted = match.labels.items()
        labelled = {name for name, tenant in self.tenants.items() if wanted <= tenant.spec.labels.items()}
        named = set(match.tenants)
        if not named:
            return sorted(name for name in labelled if labelled.isdisjoint(ancestors(name)))
        both = {n for n in labelled if n in named or not named.isdisjoint(ancestors(n))}
        both |= {n for n in named if not labelled.isdisjoint(ancestors(n))}
        return sorted(name for name in both if both.isdisjoint(ancestors(name)))

    @cached_property
    def mentions(self) -> list[tuple[Document, Mention]]:
        """Every reference from one document to another object, with the document it stands in."""
        return [(document, mention) for document in self.documents for mention in document.mentions()]

    @cached_property
    def environments_of(self) -> dict[tuple[str, str], list[str]]:
        """In which environments an object exists that does not exist in this one."""
        found: dict[tuple[str, str], list[str]] = {}
        for document in self.policy_set.documents:
            if not document.applies_in(self.environment):
                found.setdefault((document.kind, document.name), []).extend(document.metadata.environments)
        return found

    @cached_property
    def kinds_by_name(self) -> dict[str, list[str]]:
        """Under which kinds a name is known."""
        found: dict[str, list[str]] = {}
        for document in self.documents:
            found.setdefault(document.name, []).append(document.kind)
        return found
