"""What would an idle fleet do with this request, and does the policy's own self-test hold?"""

from __future__ import annotations

from collections.abc import Iterable

from coordination.program.index import Program, load
from coordination.program.records import ProgramRecords, Vector, VectorExpect, VectorRequest
from coordination.scheduling.admission import admit
from coordination.scheduling.classification import classify
from coordination.scheduling.state import State
from coordination.scheduling.values import Refusal, Request


def evaluate(program: Program, request: VectorRequest) -> VectorExpect:
    """The verdict on an idle fleet, by the same ``admit`` that serves."""
    classified = classify(program, request.tenant, request.service_tier, request.model)
    if isinstance(classified, Refusal):
        return VectorExpect(
            verdict="refuse", code=classified.code, tier=None, pool=None, route=None, reservation="none"
        )
    state = State(program, route_salt="", seed=0, now=request.at)
    asked = Request(
        request_id="vector",
        tenant=request.tenant,
        model=classified.model,
        tier=classified.tier,
        scale=classified.scale,
        prompt_tokens=request.prompt_tokens,
        max_tokens=None,
        blocks=(),
        arrived=request.at,
        stickiness="vector",
    )
    decision = admit(program, state, asked, request.at)
    if decision.verdict == "refuse":
        return VectorExpect(
            verdict="refuse",
            code=decision.code,
            tier=decision.tier,
            pool=None,
            route=decision.route,
            reservation="none",
        )
    return VectorExpect(
        verdict="admit",
        code=None,
        tier=decision.tier,
        pool=decision.pool,
        route=decision.route,
        reservation=decision.reservation,
    )


def run_vectors(program: Program | ProgramRecords, vectors: Iterable[Vector]) -> list[str]:
    """Run a policy's self-test; one sentence for each vector that does not come out as expected."""
    loaded = program if isinstance(program, Program) else load(program)
    failures: list[str] = []
    for vector in vectors:
        found = evaluate(loaded, vector.request)
        if found != vector.expect:
            failures.append(f"{vector.name}: expected {vector.expect}, found {found}")
    return failures
