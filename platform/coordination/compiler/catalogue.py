"""Which objects does one environment see, and how are they found by name? (The resolve step.)"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar, cast

from coordination.compiler.answers import Answers, Key
from coordination.compiler.regions import Space
from coordination.compiler.windows import HORIZON, Interval, intervals
from coordination.diagnostics import Location, ObjectRef
from coordination.program.records import Micros
from coordination.spec import KINDS, Document, PolicySet
from coordination.spec.declaration import Mention, collector
from coordination.spec.kinds import (
    NOTATIONS,
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
T = TypeVar("T")


class Entry(Generic[S]):
    """A document together with its value's type."""

    __slots__ = ("_made", "document", "name", "spec")

    def __init__(self, document: Document) -> None:
        self.document = document
        self.name = document.name
        self.spec = cast(S, document.spec)
        self._made: tuple[object, tuple[object, ...], Any] | None = None

    def made(self, make: Callable[..., T], *given: object) -> T:
        """``make(entry, *given)``, a pure function: the last outcome, if it was of the same.

        An entry stays for as long as its document does, whatever else of a policy is edited.
        """
        held = self._made
        if held is None or held[0] is not make or held[1] != given:
            held = self._made = (make, given, make(self, *given))
        outcome: T = held[2]
        return outcome

    @property
    def ref(self) -> ObjectRef:
        return self.document.ref

    def locate(self, path: Path | str) -> Location:
        return self.document.locate(path)


class _Kind(NamedTuple):
    """The documents of one kind in one environment."""

    documents: tuple[Document, ...]
    """By name; two of one name are an error, and both are here."""
    entries: dict[str, Entry[Any]]
    names: frozenset[str]


NAMES = {kind: f"names of {kind}" for kind in KINDS}
NOTHING = _Kind((), {}, frozenset())


class Catalogue:
    """The documents of one environment by kind and name, each mapping sorted by name.

    What it holds is looked at through it alone, so that it knows what each question rests on (see
    ``answers``). Given the catalogue of an ``earlier`` policy, of the same environment or another, only
    what depends on a difference between the two is worked out.
    """

    def __init__(
        self,
        policy_set: PolicySet,
        environment: str | None,
        at: Micros,
        horizon: Micros = HORIZON,
        *,
        earlier: Catalogue | None = None,
    ) -> None:
        kinds, elsewhere = _kinds(policy_set, environment, earlier._kinds if earlier else {})
        self._kinds: dict[str, _Kind] = kinds
        inputs: dict[str, Any] = {kind: kinds.get(kind, NOTHING) for kind in KINDS}
        inputs |= {NAMES[kind]: inputs[kind].names for kind in KINDS}
        inputs |= {
            "environment": environment,
            "at": at,
            "horizon": at + horizon,
            "complete": policy_set.complete,
            "broken": policy_set.broken,
            "elsewhere": elsewhere,
        }
        self._answers: Answers = Answers(inputs, earlier._answers if earlier else None)

    def ask(self, question: Callable[..., T], *given: object) -> T:
        """``question(catalogue, *given)``, a pure function of values that can be hashed; answered once.

        The answer outlives the catalogue: it must not refer to it, and nobody may change it.
        """
        return self._answers.ask((question, *given), functools.partial(question, self, *given))

    @property
    def answers(self) -> dict[Key, Any]:
        """Everything that was asked so far, with its answer."""
        return dict(self._answers.items())

    @property
    def environment(self) -> str | None:
        environment: str | None = self._answers.look("environment")
        return environment

    @property
    def at(self) -> Micros:
        """The instant the policy is looked at."""
        at: Micros = self._answers.look("at")
        return at

    @property
    def horizon(self) -> Micros:
        """The instant up to which recurrences are looked at."""
        horizon: Micros = self._answers.look("horizon")
        return horizon

    @property
    def complete(self) -> bool:
        """Whether no document was left out for an error."""
        complete: bool = self._answers.look("complete")
        return complete

    @property
    def models(self) -> dict[str, Entry[Model]]:
        return self.of_kind("Model")

    @property
    def pools(self) -> dict[str, Entry[Pool]]:
        return self.of_kind("Pool")

    @property
    def tenants(self) -> dict[str, Entry[Tenant]]:
        return self.of_kind("Tenant")

    @property
    def tiers(self) -> dict[str, Entry[Tier]]:
        return self.of_kind("Tier")

    @property
    def reservations(self) -> dict[str, Entry[Reservation]]:
        return self.of_kind("Reservation")

    @property
    def quotas(self) -> dict[str, Entry[Quota]]:
        return self.of_kind("Quota")

    @property
    def price_books(self) -> dict[str, Entry[PriceBook]]:
        return self.of_kind("PriceBook")

    @property
    def routes(self) -> dict[str, Entry[Route]]:
        return self.of_kind("Route")

    @property
    def expectations(self) -> dict[str, Entry[Expectation]]:
        return self.of_kind("Expectation")

    def of_kind(self, kind: str) -> dict[str, Entry[Any]]:
        """The objects of a kind, by name; none of a kind that the language does not have."""
        held: _Kind = self._answers.look(kind) if kind in KINDS else NOTHING
        return held.entries

    def names(self, kind: str) -> frozenset[str]:
        """The names of a kind. Whoever needs no more should ask for no more: edits seldom change names."""
        names: frozenset[str] = self._answers.look(NAMES[kind])
        return names

    def documents_of(self, kind: str) -> tuple[Document, ...]:
        """The documents of a kind, by name."""
        held: _Kind = self._answers.look(kind)
        return held.documents

    @property
    def documents(self) -> list[Document]:
        """Every document, by kind and name."""
        return [document for kind in sorted(KINDS) for document in self.documents_of(kind)]

    def knows(self, kind: str, name: str) -> bool:
        """Whether the object exists, or would if its document could be read."""
        return name in self.names(kind) or ObjectRef(kind, name) in self._answers.look("broken")

    @property
    def space(self) -> Space:
        """All requests the catalogue knows of, and what each route matches."""
        return self.ask(Space)

    @property
    def windows(self) -> dict[str, tuple[Interval, ...]]:
        """When each reservation is in force; what is over by ``at`` is still told unless it recurs."""
        return self.ask(_windows)

    def window_of(self, reservation: Entry[Reservation]) -> tuple[Interval, ...]:
        """When one reservation is in force."""
        return intervals(reservation.spec.window, self.at, self.horizon)

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

    @property
    def mentions(self) -> Iterator[tuple[Document, Mention]]:
        """Every reference from one document to another object, with the document it stands in."""
        return ((document, mention) for document in self.documents for mention in document.mentions())

    def named_by(self, kind: str) -> dict[str, frozenset[str]]:
        """Of each kind, the names that the documents of one kind mention."""
        return self.ask(_named_by, kind)

    @property
    def dangling(self) -> tuple[tuple[Document, Mention], ...]:
        """The mentions of what is not known."""
        return self.ask(_dangling)

    @property
    def environments_of(self) -> dict[tuple[str, str], list[str]]:
        """In which environments an object exists that does not exist in this one."""
        found: dict[tuple[str, str], list[str]] = {}
        for document in self._answers.look("elsewhere"):
            found.setdefault((document.kind, document.name), []).extend(document.metadata.environments)
        return found

    def kinds_of(self, name: str) -> list[str]:
        """Under which kinds a name is known."""
        return [kind for kind in sorted(KINDS) if name in self.names(kind)]


def _kinds(
    policy_set: PolicySet, environment: str | None, before: Mapping[str, _Kind]
) -> tuple[dict[str, _Kind], tuple[Document, ...]]:
    """What an environment sees, kind by kind, and what it does not see.

    A kind that is as before is the same object.
    """
    kinds: dict[str, _Kind] = {}
    elsewhere: list[Document] = []
    for kind, held in groupby(policy_set.documents, key=attrgetter("kind")):
        documents, known = tuple(held), before.get(kind, NOTHING)
        if any(document.metadata.environments for document in documents):
            elsewhere += (document for document in documents if not document.applies_in(environment))
            documents = tuple(document for document in documents if document.applies_in(environment))
        if documents == known.documents:
            kinds[kind] = known
        else:
            entries = _entries(documents, known.entries)
            kinds[kind] = _Kind(documents, entries, frozenset(entries))
    return kinds, tuple(elsewhere)


def _entries(documents: Iterable[Document], known: Mapping[str, Entry[Any]]) -> dict[str, Entry[Any]]:
    entries: dict[str, Entry[Any]] = {}
    for document in documents:
        same = known.get(document.name)
        entry: Entry[Any] = same if same is not None and same.document is document else Entry(document)
        entries.setdefault(document.name, entry)
    return entries


def _windows(catalogue: Catalogue) -> dict[str, tuple[Interval, ...]]:
    at, horizon = catalogue.at, catalogue.horizon
    return {n: intervals(entry.spec.window, at, horizon) for n, entry in catalogue.reservations.items()}


def _named_by(catalogue: Catalogue, kind: str) -> dict[str, frozenset[str]]:
    named: defaultdict[str, set[str]] = defaultdict(set)
    collect = collector(NOTATIONS[kind])
    for document in catalogue.documents_of(kind):
        collect(document.spec, named)
    return {of: frozenset(names) for of, names in named.items()}


def _dangling(catalogue: Catalogue) -> tuple[tuple[Document, Mention], ...]:
    """Places are only looked for once a name is known to be missing."""
    found: list[tuple[Document, Mention]] = []
    for kind in sorted(KINDS):
        missing = {
            (of, name)
            for of, names in catalogue.named_by(kind).items()
            for name in names - catalogue.names(of)
            if not catalogue.knows(of, name)
        }
        if missing:
            found += [
                (document, mention)
                for document in catalogue.documents_of(kind)
                for mention in document.mentions()
                if (mention.kind, mention.name) in missing
            ]
    return tuple(found)
