"""Do the author's expectations hold? Each is put to the compiled policy, as a gateway would be asked.

An expectation says less than a vector: what it leaves out may be anything. One that holds travels as a
vector with all that was found, so that a gateway finding anything else refuses the bundle.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from coordination.compiler.catalogue import Catalogue, Entry
from coordination.compiler.outcome import program_of
from coordination.program.index import Program
from coordination.program.records import (
    PoolLoad,
    ReplicaLoad,
    Vector,
    VectorExpect,
    VectorRequest,
)
from coordination.scheduling import Placed, answer, decide
from coordination.scheduling.values import Refusal
from coordination.spec import Document, kinds
from coordination.spec.quantities import write_duration


class Difference(NamedTuple):
    """One thing that came out otherwise."""

    field: str
    """As the document spells it: ``verdict``, ``pool``, ``reason``."""
    expected: str
    found: str


class Outcome(NamedTuple):
    """What became of one expectation."""

    entry: Entry[kinds.Expectation]
    request: VectorRequest
    found: VectorExpect
    placed: Placed | None
    """None for one that is refused."""
    differences: tuple[Difference, ...]

    @property
    def holds(self) -> bool:
        return not self.differences

    @property
    def vector(self) -> Vector:
        """With all that was found; of where it is placed, what the author asks for."""
        asked, placed = self.entry.spec.expect, self.placed
        found = self.found
        if asked is not None and placed is not None:
            found = msgspec.structs.replace(
                found,
                wait_at_most=asked.wait and asked.wait.at_most,
                replica=asked.replica and placed.replica,
                because=asked.reason and placed.because,
            )
        return Vector(name=f"expectation {self.entry.name}", request=self.request, expect=found)

    @property
    def sentence(self) -> str:
        """What was expected, and what was found."""
        expected = ", ".join(f"{d.field} {d.expected}" for d in self.differences)
        found = ", ".join(f"{d.field} {d.found}" for d in self.differences)
        return f"expected {expected}; found {found}"


def outcomes(catalogue: Catalogue) -> Iterator[Outcome]:
    """Every expectation about one request, by name. The policy must be sound.

    Each is a question of its own: an edit of one leaves what became of the others.
    """
    for entry in catalogue.expectations.values():
        given, expect = entry.spec.given, entry.spec.expect
        if given is not None and expect is not None:  # else it speaks of a simulation
            yield catalogue.ask(_outcome, entry.document)


def _outcome(catalogue: Catalogue, document: Document) -> Outcome:
    entry = Entry[kinds.Expectation](document)
    given, expect = entry.spec.given, entry.spec.expect
    if given is None or expect is None:
        raise ValueError(f"{document.name} is not about a request")
    program = catalogue.ask(program_of)
    request = request_of(given, catalogue, program)
    found, there = answer(program, request)
    differences = (*_differences(expect, found, there), *_elsewhere(expect, there))
    return Outcome(entry, request, found, there, differences)


def request_of(given: kinds.Given, catalogue: Catalogue, program: Program) -> VectorRequest:
    """The request of an expectation, as a client would send it."""
    served_name = catalogue.models[given.model].spec.served_name
    said = given.service_tier or "auto"
    if given.tier is not None:
        said = program.tiers[given.tier].service_tier[0]
    fleet = (
        PoolLoad(
            pool=pool,
            load_ppm=how.load,
            healthy=how.healthy,
            backlog=how.backlog,
            replicas=tuple(_replica(one, how) for one in sorted(how.replicas, key=lambda one: one.url)),
        )
        for pool, how in sorted(given.fleet.items())
    )
    return VectorRequest(
        tenant=given.tenant,
        service_tier=said,
        model=served_name or given.model,
        prompt_tokens=given.prompt_tokens,
        at=catalogue.at if given.at is None else given.at,
        max_tokens=given.max_tokens,
        served=given.served,
        running=given.running,
        fleet=tuple(fleet),
    )


def reasoning(program: Program, request: VectorRequest) -> list[str]:
    """How the verdict came about, a line for each rule that spoke."""
    decided = decide(program, request)
    if isinstance(decided, Refusal):
        return [decided.message]
    return [f"{step.rule}  {step.says}" for step in decided.steps]


def _replica(how: kinds.ReplicaLoad, pool: kinds.Load) -> ReplicaLoad:
    """A replica that is otherwise than the others of its pool."""
    return ReplicaLoad(
        url=how.url,
        load_ppm=pool.load if how.load is None else how.load,
        healthy=pool.healthy if how.healthy is None else how.healthy,
        backlog=pool.backlog if how.backlog is None else how.backlog,
        cached_tokens=how.cached,
        session=how.session,
    )


def _elsewhere(expect: kinds.Expect, there: Placed | None) -> Iterator[Difference]:
    """What is expected of its replica and of the wait for it, and came out otherwise."""
    if there is None:  # refused, which is told already
        return
    if expect.replica is not None and expect.replica != there.replica:
        yield Difference("replica", expect.replica, there.replica or "none yet")
    if expect.wait is not None and there.wait_us > expect.wait.at_most:
        most = write_duration(expect.wait.at_most)
        yield Difference("wait", f"at most {most}", write_duration(there.wait_us))


def _differences(expect: kinds.Expect, found: VectorExpect, there: Placed | None) -> Iterator[Difference]:
    pairs = (
        ("verdict", expect.verdict, found.verdict),
        ("reason", expect.reason, there.because if there else found.code),
        ("tier", expect.tier, found.tier),
        ("pool", expect.pool, found.pool),
        ("route", expect.route, found.route),
        ("reservation", expect.reservation, found.reservation),
    )
    wrong = [
        Difference(field, str(wanted), came or "none")
        for field, wanted, came in pairs
        if wanted is not None and wanted != came
    ]
    yield from wrong
    if wrong and wrong[0].field == "verdict" and found.code is not None and expect.reason is None:
        yield Difference("reason", "none", found.code)
