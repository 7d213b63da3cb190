"""What would this fleet do with this request, and does the policy's own self-test hold?"""

from __future__ import annotations

from collections.abc import Iterable

from coordination.program.index import Program, load
from coordination.program.records import (
    MILLION,
    Micros,
    PoolLoad,
    ProgramRecords,
    Vector,
    VectorExpect,
    VectorRequest,
)
from coordination.scheduling.admission import admit
from coordination.scheduling.classification import classify
from coordination.scheduling.decisions import Decision
from coordination.scheduling.dispatching import dispatch
from coordination.scheduling.observing import observe, set_health
from coordination.scheduling.settlement import settle
from coordination.scheduling.state import State
from coordination.scheduling.values import Classified, Refusal, ReplicaReport, Request, Usage


def evaluate(program: Program, request: VectorRequest) -> VectorExpect:
    """The verdict on the fleet the request names, by the same functions that serve."""
    decided = decide(program, request)
    if isinstance(decided, Refusal):
        return _refused(decided.code, tier=None, route=None)
    if decided.verdict == "refuse":
        return _refused(decided.code, tier=decided.tier, route=decided.route)
    return VectorExpect(
        verdict=decided.verdict,
        code=None,
        tier=decided.tier,
        pool=decided.pool,
        route=decided.route,
        reservation=decided.reservation,
    )


def decide(program: Program, request: VectorRequest) -> Decision | Refusal:
    """The decision itself, with its reasoning."""
    classified = classify(program, request.tenant, request.service_tier, request.model)
    if isinstance(classified, Refusal):
        return classified
    now = request.at
    state = State(program, route_salt="", seed=0, now=now)
    for pool in request.fleet:
        _load(program, state, pool, now)
    for turn in range(request.served + request.running):
        _serve(program, state, _request(request, classified, f"vector-{turn}"), turn < request.served, now)
    return admit(program, state, _request(request, classified, "vector"), now)


def run_vectors(program: Program | ProgramRecords, vectors: Iterable[Vector]) -> list[str]:
    """Run a policy's self-test; one sentence for each vector that does not come out as expected."""
    loaded = program if isinstance(program, Program) else load(program)
    failures: list[str] = []
    for vector in vectors:
        found = evaluate(loaded, vector.request)
        if found != vector.expect:
            failures.append(f"{vector.name}: expected {vector.expect}, found {found}")
    return failures


def _serve(program: Program, state: State, request: Request, to_the_end: bool, now: Micros) -> None:
    """Let a request in as a gateway would, and if it is to be over, settle it for what was held."""
    decision = admit(program, state, request, now)
    if decision.pool is None or decision.verdict == "refuse":
        return
    for attempt in dispatch(program, state, decision.pool, now):
        if to_the_end:
            held = attempt.decision.hold
            usage = Usage(held.uncached_input, held.cached_input, held.output)
            settle(program, state, attempt, usage, "completed", now)


def _request(request: VectorRequest, classified: Classified, name: str) -> Request:
    return Request(
        request_id=name,
        tenant=request.tenant,
        model=classified.model,
        tier=classified.tier,
        scale=classified.scale,
        prompt_tokens=request.prompt_tokens,
        max_tokens=request.max_tokens,
        blocks=(),
        arrived=request.at,
        stickiness="vector",
    )


def _load(program: Program, state: State, load: PoolLoad, now: Micros) -> None:
    """Have every replica of a pool report the load, as a scrape of its engine would; or cordon them all."""
    pool = state.pool(load.pool, now)
    running = -(-load.load_ppm * pool.pool.sequences // MILLION)
    report = ReplicaReport(at=now, waiting=0, running=running, kv_used_ppm=load.load_ppm)
    for url in list(pool.by_url):
        observe(program, state, load.pool, url, report, now)
        if not load.healthy:
            set_health(program, state, load.pool, url, False, now)


def _refused(code: str | None, *, tier: str | None, route: str | None) -> VectorExpect:
    return VectorExpect(verdict="refuse", code=code, tier=tier, pool=None, route=route, reservation="none")
