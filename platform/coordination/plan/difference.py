"""What differs between two policies, as a value: said, judged, counted, and pinned by a digest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from coordination.compiler.catalogue import Catalogue
from coordination.compiler.checking import check_catalogue
from coordination.compiler.outcome import program_of
from coordination.compiler.windows import HORIZON
from coordination.plan import categories, sentences
from coordination.plan.categories import Category
from coordination.plan.comparing import compare
from coordination.plan.impact import Guarantee, Reach, guarantees, reach
from coordination.program.canonical import canonical_bytes, sha256_digest
from coordination.program.records import Micros
from coordination.spec import Document, PolicySet
from coordination.spec.declaration import notation_of
from coordination.spec.document import Metadata
from coordination.spec.kinds import NOTATIONS
from coordination.spec.plain import Plain

Action = Literal["create", "update", "delete"]
Guarantees = dict[str, tuple[Guarantee | None, Guarantee | None]]
"""Tenant -> before and after; None: it is not there."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that would be otherwise."""

    kind: str
    name: str
    action: Action
    category: Category
    sentence: str
    pointer: str
    """Into the document; empty for the whole of it."""
    before: Plain
    """As the language writes it; None: not there."""
    after: Plain

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "name": self.name,
            "action": self.action,
            "category": self.category,
            "sentence": self.sentence,
            "json_pointer": self.pointer,
            "before": self.before,
            "after": self.after,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """Everything that would be otherwise, and whom it reaches."""

    environment: str | None
    changes: tuple[Change, ...]
    reach: Reach
    guarantees: Guarantees | None
    """Of the tenants whose guarantee moves; None when a side has errors, so that nothing can be promised."""

    @property
    def category(self) -> Category:
        return categories.worst(change.category for change in self.changes)

    @property
    def digest(self) -> str:
        """Names the difference: the same changes have the same digest, wherever they were found."""
        return sha256_digest(canonical_bytes([_text(change.as_json()) for change in self.changes]))

    def as_json(self) -> dict[str, Any]:
        counted = Counter(change.category for change in self.changes)
        return {
            "environment": self.environment,
            "category": self.category,
            "digest": self.digest,
            "changes": [change.as_json() for change in self.changes],
            "summary": {each: counted[each] for each in categories.ORDER if counted[each]},
            "impact": {
                "tenants": list(self.reach.tenants),
                "reservations": list(self.reach.reservations),
                "routes": list(self.reach.routes),
                "guarantees": None if self.guarantees is None else _guarantees(self.guarantees),
            },
        }


def diff(before: PolicySet, after: PolicySet, *, environment: str | None, at: Micros) -> Difference:
    """What ``after`` changes in ``before``, as one environment sees both, at an instant."""
    old = Catalogue(before, environment, at)
    new = Catalogue(after, environment, at, earlier=old)
    documents = {(d.kind, d.name): d for d in old.documents}, {(d.kind, d.name): d for d in new.documents}
    changes = [
        change
        for key in sorted(documents[0].keys() | documents[1].keys())
        for change in changes_of(documents[0].get(key), documents[1].get(key), at)
    ]
    return with_impact(environment, (old, new), changes, lambda: _moved(old, new))


def with_impact(
    environment: str | None,
    sides: tuple[Catalogue, Catalogue],
    changes: Iterable[Change],
    moved: Callable[[], Guarantees | None],
) -> Difference:
    """The changes together with whom they reach; ``moved`` is asked only if there is an effect."""
    told = tuple(changes)
    touched = list(dict.fromkeys((c.kind, c.name) for c in told if c.category != "no_effect"))
    reached, guaranteed = reach(sides, touched), moved() if touched else {}
    tenants = tuple(sorted({*reached.tenants, *(guaranteed or ())}))
    return Difference(environment, told, replace(reached, tenants=tenants), guaranteed)


def changes_of(old: Document | None, new: Document | None, at: Micros) -> list[Change]:
    """What one object changes into, place by place; one of the two is there."""
    if old is None or new is None:
        document = new or old
        assert document is not None  # noqa: S101 - a key is on one side at least
        added = old is None
        return [
            Change(
                kind=document.kind,
                name=document.name,
                action="create" if added else "delete",
                category=categories.of_object(document.kind, added=added),
                sentence=sentences.of_object(document, at, added=added),
                pointer="",
                before=None if added else document.plain(),
                after=document.plain() if added else None,
            )
        ]
    found = [
        Change(
            kind=new.kind,
            name=new.name,
            action="update",
            category=categories.of_spot(new.kind, spot),
            sentence=sentences.of_spot(new, spot, at),
            pointer="/spec/" + "/".join(_escaped(str(step)) for step in spot.place),
            before=None if spot.before is None else spot.notation.write(spot.before),
            after=None if spot.after is None else spot.notation.write(spot.after),
        )
        for spot in compare(NOTATIONS[new.kind], old.spec, new.spec)
    ]
    return [*found, *_of_metadata(old, new)]


def _of_metadata(old: Document, new: Document) -> list[Change]:
    """Labels, descriptions and the like: seen by people and tools, by no request."""
    return [
        Change(
            kind=new.kind,
            name=new.name,
            action="update",
            category="no_effect",
            sentence=f"{new.name}: {spot.steps[0]} of the {new.kind.lower()} changed",
            pointer="/metadata/" + "/".join(_escaped(str(step)) for step in spot.place),
            before=None if spot.before is None else spot.notation.write(spot.before),
            after=None if spot.after is None else spot.notation.write(spot.after),
        )
        for spot in compare(notation_of(Metadata), old.metadata, new.metadata)
    ]


def _moved(old: Catalogue, new: Catalogue) -> Guarantees | None:
    """Tenants whose guarantee is not what it was."""
    sides = []
    for catalogue in (old, new):
        errors = (d for d in check_catalogue(catalogue, asking=False) if d.severity == "error")
        if not catalogue.complete or next(errors, None) is not None:
            return None
        program = catalogue.ask(program_of)
        sides.append(guarantees(program, program.records, catalogue.at + HORIZON))
    return moved_between(*sides)


def moved_between(before: Mapping[str, Guarantee], after: Mapping[str, Guarantee]) -> Guarantees:
    """The guarantees that are not the same on both sides."""
    return {
        name: (before.get(name), after.get(name))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    }


def _guarantees(moved: Guarantees) -> list[dict[str, Any]]:
    def one(guarantee: Guarantee | None) -> dict[str, int] | None:
        if guarantee is None:
            return None
        return {
            "reserved_input": guarantee.reserved_input,
            "reserved_output": guarantee.reserved_output,
            "share_ppm": guarantee.share_ppm,
        }

    return [{"tenant": name, "before": one(was), "after": one(now)} for name, (was, now) in moved.items()]


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _text(value: Any) -> Any:
    """Fractions as text: canonical bytes hold whole numbers only."""
    if isinstance(value, dict):
        return {key: _text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_text(each) for each in value]
    return value if isinstance(value, int | str) or value is None else str(value)
