"""Which edits of the policy have it as it was simulated, with a sweep's number at one of its values?

The edits are made on what is current, or on a change set that is still being written: where the policy has
moved on since it was simulated, everything but the number stays as it is now.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from coordination.spec import Document
from coordination.spec.quantities import write_duration
from foundation.http import Conflict, FieldError
from policies import selectors as policy
from policies.mapping.documents import Written, parse
from policies.mapping.proposals import Edit, edits_of, outdated
from policies.models import ChangeSet, Revision
from policies.selectors import Key
from policies.services.merging import read_as
from simulations import selectors
from simulations.mapping.results import figures_in_words, summary_of
from simulations.models import Scenario, Simulation, State

MICROS = 1_000_000
NAMED = 3
"""Objects that a reason names; the change set shows them all."""
LONGEST_REASON = 1000
OF_THE_POLICY: Final = {"replicas": "Pool", "release_after": "Route"}
"""Numbers that documents set, and the kind they stand in."""
Standing = Literal["ready", "promoted", "same", "listed", "gone"]


class _Named(msgspec.Struct):
    name: str


class _Objects(msgspec.Struct):
    """Of a compiled policy, the names of what bears a number."""

    pools: tuple[_Named, ...]
    routes: tuple[_Named, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A document that bears the number, as it is now."""

    base: str | None
    """Digest of the current version its edit is against."""
    document: Document

    @property
    def name(self) -> str:
        return self.document.name

    @property
    def number(self) -> int:
        """Replicas; microseconds of a route."""
        spec = self.document.spec
        is_pool = self.document.kind == "Pool"
        return int(spec.replicas.planned if is_pool else spec.placement.release_after)

    @property
    def listed(self) -> bool:
        """Whether the number follows from a list of replicas, which only people can write."""
        return self.document.kind == "Pool" and bool(self.document.spec.replicas.urls)

    def at(self, number: int) -> Document:
        """The document with another number."""
        spec = self.document.spec
        if self.document.kind == "Pool":
            changed = {"replicas": msgspec.structs.replace(spec.replicas, count=number)}
        else:
            changed = {"placement": msgspec.structs.replace(spec.placement, release_after=number)}
        given = self.document
        return Document(given.kind, given.metadata, msgspec.structs.replace(spec, **changed), given.positions)


@dataclass(frozen=True, slots=True)
class Places:
    """Every document that bears a sweep's number, and names of those that are no longer there."""

    kind: str
    found: tuple[Place, ...]
    gone: tuple[str, ...]

    def turned(self, value: float) -> list[Place]:
        """Those that have another number than ``value`` says."""
        wanted = number_of(self.kind, value)
        return [place for place in self.found if place.number != wanted]

    def listed(self, value: float) -> list[Place]:
        """Those of them whose replicas are listed one by one."""
        return [place for place in self.turned(value) if place.listed]


def number_of(kind: str, value: float) -> int:
    """A sweep's value as documents have it: replicas, or seconds in microseconds."""
    return round(value) if kind == "Pool" else round(value * MICROS)


def bears(scenario: Scenario) -> bool:
    """Whether documents set the number that is turned."""
    return scenario.knob.partition(":")[0] in OF_THE_POLICY


def proposal_of(scenario: Scenario) -> ChangeSet | None:
    """The change set that was simulated, if it is still being written."""
    found = scenario.change_set
    return found if found is not None and found.state == ChangeSet.State.OPEN else None


def places_of(scenario: Scenario, target: ChangeSet | None) -> Places:
    """On top of what ``target`` does. Raises ``Conflict`` (``outdated_document``)."""
    knob, _, pool = scenario.knob.partition(":")
    kind = OF_THE_POLICY[knob]
    objects = msgspec.json.decode(bytes(scenario.policy.records), type=_Objects)
    simulated = [one.name for one in (objects.pools if kind == "Pool" else objects.routes)]
    names = [pool] if pool else simulated
    edits = {edit.name: edit for edit in (edits_of(target) if target else ()) if edit.kind == kind}
    keys: list[Key] = [(kind, name) for name in names if name not in edits]
    digests = policy.digests(scenario.environment, keys)
    documents, unreadable = parse(digests.values())
    if unreadable:
        raise outdated(unreadable[0])
    found, gone = [], []
    for name in names:
        digest, edit = digests.get((kind, name)), edits.get(name)
        if edit is not None and edit.document is not None:
            found.append(Place(edit.base, edit.document))
        elif digest is not None:
            found.append(Place(digest, documents[digest]))
        else:
            gone.append(name)
    return Places(kind, tuple(found), tuple(gone))


def edits_at(scenario: Scenario, places: Places, value: float) -> list[Edit]:
    """None of them if all is so already. Raises ``Conflict`` (``object_gone``, ``replicas_listed``)."""
    if places.gone:
        first = places.gone[0]
        raise Conflict(
            "object_gone",
            f"{places.kind} `{first}` was simulated, and is no longer there.",
            kind=places.kind,
            name=first,
            errors=[
                FieldError(f"/{places.kind}/{name}", "object_gone", "no longer there") for name in places.gone
            ],
        )
    number = number_of(places.kind, value)
    listed = places.listed(value)
    if listed:
        first_place = listed[0]
        raise Conflict(
            "replicas_listed",
            f"Pool `{first_place.name}` lists its replicas by URL, {first_place.number} of them: which "
            f"{number} it should list is for you to write.",
            kind="Pool",
            name=first_place.name,
            errors=[
                FieldError(
                    f"/Pool/{place.name}/spec/replicas/urls",
                    "replicas_listed",
                    f"lists {place.number} replicas, not {number}",
                )
                for place in listed
            ],
        )
    return [
        Edit(places.kind, place.name, place.base, _written(scenario.environment, place.at(number)))
        for place in places.turned(value)
    ]


def _written(environment: str, document: Document) -> Written:
    """As an editor's text would be read."""
    return read_as(document.canonical(), environment=environment, kind=document.kind, name=document.name)


# -- what can be offered --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Offer:
    """How one value of a sweep stands to the policy. ``change_set``: where it already is."""

    value: float
    standing: Standing
    change_set: ChangeSet | None = None


@dataclass(frozen=True, slots=True)
class Offers:
    """Of every value, in the order they were tried."""

    items: tuple[Offer, ...]
    joins: ChangeSet | None
    """Where the edits go; None: into a new change set."""
    moved: bool
    """Whether ``joins`` was edited since it was simulated."""
    listed: tuple[str, ...]
    """Pools that stand in the way because they list their replicas."""
    gone: tuple[str, ...]
    kind: str

    @property
    def any_ready(self) -> bool:
        return any(each.standing == "ready" for each in self.items)


def offers_of(simulation: Simulation) -> Offers | None:
    """None where there is nothing to promote: no sweep that is done, or not over the policy's own number."""
    scenario = simulation.scenario
    if simulation.state != State.DONE or not bears(scenario):
        return None
    joins = proposal_of(scenario)
    places = places_of(scenario, joins)
    already = selectors.promotions(simulation)
    items, listed = [], dict[str, None]()
    for value in scenario.values:
        done = already.get(value)
        if done is not None:
            items.append(Offer(value, "promoted", done.change_set))
            continue
        blocked = places.listed(value)
        listed.update(dict.fromkeys(place.name for place in blocked))
        standing: Standing = (
            "gone" if places.gone else "listed" if blocked else "ready" if places.turned(value) else "same"
        )
        items.append(Offer(value, standing))
    moved = joins is not None and joins.head_digest != scenario.head_digest
    return Offers(tuple(items), joins, moved, tuple(listed), places.gone, places.kind)


def earlier_revision(simulation: Simulation) -> Revision | None:
    """The revision whose whole policy was simulated, if others have taken its place since."""
    scenario = simulation.scenario
    if simulation.state != State.DONE or scenario.knob or not scenario.policy_revision:
        return None
    found = policy.revision(scenario.policy_revision)
    current = policy.current_revision(simulation.environment)
    if found is None or current is None or found.number >= current.number:
        return None
    # An open change set is simulated on top of a revision: that one alone was not.
    if scenario.policy_source == "change_set" and found.change_set_id != scenario.change_set_id:
        return None
    return found if found.root_tree_id != current.root_tree_id else None


# -- in words -------------------------------------------------------------------------------------


def reason_for_value(simulation: Simulation, edits: Sequence[Edit], places: Places, value: float) -> str:
    """What a change set says of itself: what it does, and which simulation it comes from."""
    edited = {edit.name for edit in edits}
    before = [(place.name, place.number) for place in places.found if place.name in edited]
    what = _listed([f"{name} ({_told(places.kind, number)} before)" for name, number in before])
    now = _told(places.kind, number_of(places.kind, value))
    if places.kind == "Pool":
        says = f"{now} in pool{'s' if len(before) > 1 else ''} {what}"
    else:
        says = f"Release after {now} in route{'s' if len(before) > 1 else ''} {what}"
    scenario = simulation.scenario
    tried = next((one for one in (simulation.result or {}).get("tried", ()) if one["value"] == value), None)
    found = f"; at {value:g}: {figures_in_words(tried['figures'])}" if tried else ""
    values = ", ".join(f"{each:g}" for each in scenario.values)
    return _short(
        f"{says}. Simulation {simulation.pk} turned {scenario.knob} through {values} under "
        f"{scenario.trace.name}{_besides(scenario)}{found}"
    )


def reason_for_revision(simulation: Simulation, wanted: Revision, current: Revision | None) -> str:
    instead = f", in place of revision {current.number}" if current else ""
    scenario = simulation.scenario
    return _short(
        f"Revision {wanted.number} again{instead}. Simulation {simulation.pk} of it under "
        f"{scenario.trace.name}{_besides(scenario)}: {summary_of(simulation.result or {})}"
    )


def _besides(scenario: Scenario) -> str:
    """What else the simulation took for granted, and no document says."""
    given = [f"{scenario.speed:g} times as fast as recorded"] if scenario.speed != 1 else []
    given += [f"{count} replicas in {pool}" for pool, count in sorted(scenario.replicas.items())]
    if scenario.host_tokens:
        given.append(f"{scenario.host_tokens:,} tokens of KV in host memory")
    return f" ({', '.join(given)})" if given else ""


def _told(kind: str, number: int) -> str:
    if kind == "Pool":
        return f"{number} replica{'' if number == 1 else 's'}"
    return write_duration(number)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def differing(edits: Iterable[Edit], target: ChangeSet | None) -> list[Edit]:
    """Those that ``target`` does not make yet."""
    made: dict[Key, Any] = {}
    for edit in edits_of(target) if target else ():
        made[edit.key] = (edit.base, edit.new)
    return [edit for edit in edits if made.get(edit.key) != (edit.base, edit.new)]
