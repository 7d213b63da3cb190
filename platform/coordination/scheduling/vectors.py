"""What would this fleet do with this request, and does the policy's own self-test hold?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from coordination.program.index import Program, load
from coordination.program.records import (
    MILLION,
    Micros,
    PoolLoad,
    ProgramRecords,
    ReplicaLoad,
    Vector,
    VectorExpect,
    VectorRequest,
)
from coordination.scheduling.admission import admit
from coordination.scheduling.classification import classify
from coordination.scheduling.decisions import Decision
from coordination.scheduling.dispatching import dispatch
from coordination.scheduling.dissolving import dissolve
from coordination.scheduling.observing import observe, set_health
from coordination.scheduling.placed import Placed, placed
from coordination.scheduling.prefix_index import TOKENS_PER_BLOCK
from coordination.scheduling.settlement import settle
from coordination.scheduling.state import State
from coordination.scheduling.values import Classified, Refusal, ReplicaReport, Request, Usage

SESSION: Final = "session"
"""What requests of one session are known by."""


class Answered(NamedTuple):
    """What the fleet does with a request."""

    found: VectorExpect
    """The verdict, with nothing of where it goes."""
    placed: Placed | None
    """Where it goes next, why there, and how long it is expected to wait; None for one that is refused."""


def evaluate(program: Program, request: VectorRequest) -> VectorExpect:
    """The verdict on the fleet the request names, by the same functions that serve."""
    state, decided = _decided(program, request)
    found = _verdict(decided)
    dissolve(state)
    return found


def decide(program: Program, request: VectorRequest) -> Decision | Refusal:
    """The decision itself, with its reasoning."""
    return _decided(program, request)[1]


def answer(program: Program, request: VectorRequest) -> Answered:
    """The verdict, and what becomes of the request after it: decided once."""
    state, decided = _decided(program, request)
    found = _verdict(decided)  # first: being placed may change a decision
    there = None if isinstance(decided, Refusal) else placed(program, state, decided, request.at)
    dissolve(state)
    return Answered(found, there)


def _verdict(decided: Decision | Refusal) -> VectorExpect:
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


def run_vectors(program: Program | ProgramRecords, vectors: Iterable[Vector]) -> list[str]:
    """Run a policy's self-test; one sentence for each vector that does not come out as expected."""
    loaded = program if isinstance(program, Program) else load(program)
    failures: list[str] = []
    for vector in vectors:
        expect = vector.expect
        if (expect.wait_at_most, expect.replica, expect.because) == (None, None, None):
            found = evaluate(loaded, vector.request)
        else:
            found = _with_place(*answer(loaded, vector.request), expect)
        if found != expect:
            failures.append(f"{vector.name}: expected {expect}, found {found}")
    return failures


def _with_place(found: VectorExpect, there: Placed | None, expect: VectorExpect) -> VectorExpect:
    """With what was found of what is asked: a wait that is short enough is the one expected."""
    if there is None:
        return found
    most = expect.wait_at_most
    return msgspec.structs.replace(
        found,
        wait_at_most=None if most is None else max(most, there.wait_us),
        replica=expect.replica and there.replica,
        because=expect.because and there.because,
    )


def _decided(program: Program, request: VectorRequest) -> tuple[State, Decision | Refusal]:
    """The fleet as the request meets it, and what was decided; the request waits in it unless refused."""
    now = request.at
    state = State(program, route_salt="", seed=0, now=now)
    classified = classify(program, request.tenant, request.service_tier, request.model)
    if isinstance(classified, Refusal):
        return state, classified
    for pool in request.fleet:
        _load(program, state, pool, request, now)
    for turn in range(request.served + request.running):
        _serve(program, state, _request(request, classified, f"vector-{turn}"), turn < request.served, now)
    return state, admit(program, state, _request(request, classified, "vector"), now)


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
    replicas = [one for pool in request.fleet for one in pool.replicas]
    return Request(
        request_id=name,
        tenant=request.tenant,
        model=classified.model,
        tier=classified.tier,
        scale=classified.scale,
        prompt_tokens=request.prompt_tokens,
        max_tokens=request.max_tokens,
        blocks=_blocks(request) if any(one.cached_tokens for one in replicas) else (),
        arrived=request.at,
        stickiness=SESSION if any(one.session for one in replicas) else "vector",
    )


def _blocks(request: VectorRequest) -> list[int]:
    """In place of the hashes of a prompt that nobody wrote: equal prompts have equal ones."""
    return list(range(1, request.prompt_tokens // TOKENS_PER_BLOCK + 1))


def _load(program: Program, state: State, load: PoolLoad, request: VectorRequest, now: Micros) -> None:
    """Have every replica of a pool report its load, as a scrape of its engine would; or cordon it."""
    pool = state.pool(load.pool, now)
    others = {one.url: one for one in load.replicas}
    blocks = _blocks(request)
    for url, replica in pool.by_url.items():
        how = others.get(url) or ReplicaLoad(
            url=url, load_ppm=load.load_ppm, healthy=load.healthy, backlog=load.backlog
        )
        running = -(-how.load_ppm * pool.pool.sequences // MILLION)
        report = ReplicaReport(at=now, waiting=0, running=running, kv_used_ppm=how.load_ppm)
        replica.backlog_us += how.backlog
        observe(program, state, load.pool, url, report, now)
        if not how.healthy:
            set_health(program, state, load.pool, url, False, now)
        held = len(blocks) * min(how.cached_tokens, request.prompt_tokens) // request.prompt_tokens
        if held:
            pool.index.insert(blocks[:held], replica.bit)
        if how.session:
            pool.sessions.sent(SESSION, replica, request.prompt_tokens, now)


def _refused(code: str | None, *, tier: str | None, route: str | None) -> VectorExpect:
    return VectorExpect(verdict="refuse", code=code, tier=tier, pool=None, route=route, reservation="none")
