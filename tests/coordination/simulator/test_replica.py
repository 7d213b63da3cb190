"""Jumping over decode steps gives what going through them one by one gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import simfleet.engine.batching as stepwise
from coordination.capacity import PROFILES, decode_run, prefill_floor, step_time
from coordination.simulator.replica import OVER, EngineLimits, Replica, Sequence
from coordination.traces import BLOCK_TOKENS

Times = dict[Any, tuple[float, float, int]]
"""Owner -> instants of the first and of the last token, and tokens found in the cache."""

SMALL = PROFILES["llama-3-8b-h100-tp1"]


def limits(**changes) -> EngineLimits:
    given = {"profile": SMALL, "kv_tokens": 40 * BLOCK_TOKENS, "sequences": 4}
    return EngineLimits(**{**given, **changes})


def run(replica: Replica, arrivals: list[tuple[float, Sequence]], check=lambda replica: None) -> Times:
    """Feed arrivals (microseconds) to one replica."""
    found: Times = {}
    arrivals = sorted(arrivals, key=lambda one: one[0])
    while arrivals or replica.next_at is not None:
        if replica.next_at is None or (arrivals and arrivals[0][0] < replica.next_at):
            at, sequence = arrivals.pop(0)
            replica.submit(sequence, at)
        else:
            at = replica.next_at
            replica.complete()
            for sequence in replica.finished:
                found[sequence.owner] = (sequence.first_at, at, sequence.cached)
        check(replica)
    return found


def run_stepwise(arrivals: list[tuple[float, Sequence]], limits: EngineLimits) -> Times:
    engine = stepwise.Engine(
        limits.profile,
        kv_tokens=limits.kv_tokens,
        max_sequences=limits.sequences,
        chunk_tokens=limits.chunk_tokens,
    )
    found: Times = {}
    owners: dict[int, Any] = {}
    arrivals = sorted(arrivals, key=lambda one: one[0])
    now: float = 0.0
    step: stepwise.Step | None = None
    while arrivals or step is not None:
        end = now + (step.seconds if step else 0.0) * 1e6
        if step is None or (arrivals and arrivals[0][0] < end):
            at, asked = arrivals.pop(0)
            work = stepwise.Work(asked.prompt, asked.output, "length", tuple(asked.blocks))
            owners[engine.submit(work, at).key] = asked.owner
            if step is None:
                now, step = at, engine.begin(at)
        else:
            outcome = engine.complete(step, end)
            for one in outcome.finished:
                found[owners[one.key]] = (one.first_token_at, end, one.cached_tokens)
            now, step = end, engine.begin(end)
    return found


@st.composite
def workloads(draw):
    """Arrivals of requests that share prefixes; some do not fit together."""
    made = []
    for owner in range(draw(st.integers(1, 14))):
        family = draw(st.integers(0, 2))
        whole = draw(st.integers(0, 9))
        prompt = whole * BLOCK_TOKENS + draw(st.integers(1, BLOCK_TOKENS - 1))
        own = draw(st.integers(0, 3))
        blocks = [family * 1000 + depth + (own * 100 if depth > 3 else 0) for depth in range(whole)]
        at = float(draw(st.integers(0, 400_000)))
        made.append((at, (prompt, draw(st.integers(1, 60)), blocks, owner)))
    return made


@settings(max_examples=120, deadline=None)
@given(workloads(), st.sampled_from([2048, 8192]), st.sampled_from([12, 40]))
def test_jumps_equal_single_steps(made, chunk, pool_blocks):
    small = limits(kv_tokens=pool_blocks * BLOCK_TOKENS, chunk_tokens=chunk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stepwise, "BLOCK_TOKENS", BLOCK_TOKENS)
        expected = run_stepwise([(at, Sequence(*one)) for at, one in made], small)
    found = run(Replica(small), [(at, Sequence(*one)) for at, one in made])
    assert found.keys() == expected.keys()
    for owner, times in expected.items():
        assert found[owner] == pytest.approx(times, rel=1e-9)


@settings(max_examples=80, deadline=None)
@given(workloads(), st.sampled_from([0, 30]))
def test_tokens_are_conserved_and_limits_kept(made, host_blocks):
    replica = Replica(limits(host_tokens=host_blocks * BLOCK_TOKENS))

    def check(one: Replica) -> None:
        assert one.running <= 4
        assert one.cache.used <= one.cache.resident <= one.cache.capacity
        # work conservation: idle only when nothing could be computed
        assert one.next_at is not None or not one.outstanding

    found = run(replica, [(at, Sequence(*one)) for at, one in made], check)
    assert replica.output_tokens == sum(one[1] for _, one in made)
    assert replica.input_tokens == sum(one[0] for _, one in made)
    cached = sum(cached for _, _, cached in found.values())
    assert replica.computed_tokens + cached == replica.input_tokens
    assert replica.gaps.count == sum(one[1] - 1 for _, one in made)
    assert replica.cache.used == 0
    arrived = {one[3]: at for at, one in made}
    for owner, (first, last, _) in found.items():
        assert arrived[owner] < first <= last


def test_an_idle_replica_prefills_at_the_floor_and_decodes_in_closed_form():
    replica = Replica(limits(kv_tokens=430_080))
    found = run(replica, [(0.0, Sequence(20_000, 100, [], "one"))])
    first = prefill_floor(SMALL, 20_000)
    decode = decode_run(SMALL, steps=99, decodes=1, decode_context=20_000)
    assert found["one"] == pytest.approx((first * 1e6, (first + decode) * 1e6, 0))
    assert replica.steps == 3 + 99
    assert replica.busy_us == pytest.approx((first + decode) * 1e6)


def test_a_prefix_in_the_host_tier_is_loaded_instead_of_computed():
    host = Replica(limits(kv_tokens=8 * BLOCK_TOKENS, host_tokens=8 * BLOCK_TOKENS))
    none = Replica(limits(kv_tokens=8 * BLOCK_TOKENS))
    prompt = 6 * BLOCK_TOKENS + 1
    work = [(0.0, 1), (10e6, 2), (20e6, 1)]
    for replica, cached in ((host, prompt - 1), (none, BLOCK_TOKENS)):
        made = [(at, Sequence(prompt, 1, list(range(n * 10, n * 10 + 6)), at)) for at, n in work]
        first, _, found = run(replica, made)[20e6]
        assert found == cached
        only_computing = step_time(SMALL, [(prompt - cached, cached)]) * 1e6
        loading = first - 20e6 - only_computing
        assert (loading > 1) is (replica is host)


def test_an_aborted_request_frees_its_place_and_tells_how_far_it_came():
    replica = Replica(limits(sequences=1))
    first, second = Sequence(600, 1000, [7], "a"), Sequence(600, 2, [7], "b")
    replica.submit(first, 0.0)
    replica.submit(second, 1.0)
    replica.complete()
    assert replica.firsts == [first]
    halfway = replica.next_at
    assert halfway is not None
    replica.abort(first, halfway / 2)
    replica.complete()
    assert 1 < first.emitted < 1000
    assert replica.running == 1
    replica.abort(second, halfway)
    replica.abort(second, halfway)
    assert replica.cache.used == 0


def test_marks_tell_of_every_256_tokens_beyond_the_first_ones():
    replica = Replica(limits())
    replica.submit(Sequence(10, 1000, [], "a", mark_from=100), 0.0)
    told = []
    while replica.next_at is not None:
        replica.complete()
        told += [one.emitted for one in replica.marked]
    assert told == [356, 612, 868]


def test_what_can_never_run_is_refused():
    replica = Replica(limits())
    for prompt, output in ((41 * BLOCK_TOKENS, 1), (0, 1), (1, 0)):
        with pytest.raises(ValueError, match=r"KV pool|at least one"):
            replica.submit(Sequence(prompt, output, [], None), 0.0)


@settings(max_examples=60, deadline=None)
@given(workloads(), st.lists(st.tuples(st.integers(0, 13), st.floats(0, 900_000)), max_size=8))
def test_whenever_requests_are_aborted_their_room_is_given_back(made, aborts):
    """At any instant, in any state, even with the step that would have been their last."""
    replica = Replica(limits())
    sequences = {one[3]: Sequence(*one) for _, one in made}
    events: list[tuple[float, int, str]] = [(at, one[3], "submit") for at, one in made]
    events += [(at, owner, "abort") for owner, at in aborts if owner in sequences]
    arrived = {one[3]: at for at, one in made}
    dropped: set[int] = set()
    for at, owner, what in [*sorted(events), (1e12, -1, "end")]:
        while replica.next_at is not None and replica.next_at <= at:
            replica.complete()
            for sequence in (*replica.firsts, *replica.marked, *replica.finished):
                assert sequence.owner not in dropped, "told of a request that was aborted"
        if what == "submit":
            replica.submit(sequences[owner], at)
        elif what == "abort" and arrived[owner] <= at:
            before = sequences[owner].state
            replica.abort(sequences[owner], at)
            replica.abort(sequences[owner], at)
            if before != OVER:
                dropped.add(owner)
                assert 0 <= sequences[owner].emitted < sequences[owner].output
    assert (replica.outstanding, replica.cache.used, replica._context) == (0, 0, 0)
