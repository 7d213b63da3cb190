"""The engine under a virtual clock: what a step holds, and what must be true of every history."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.capacity import PROFILES, decode_run, prefill_floor, step_time
from simfleet.engine import Engine, Sequence, Work
from simfleet.tokens import BLOCK_TOKENS

PROFILE = PROFILES["llama-3-8b-h100-tp1"]


def blocks(*families: int, tokens: int) -> tuple[int, ...]:
    """Chained names of the full blocks of a text whose i-th block comes from ``families[i]``."""
    names, name = [], 0
    for index in range(tokens // BLOCK_TOKENS):
        part = families[min(index, len(families) - 1)]
        name = hash((name, part)) & (2**64 - 1)
        names.append(name)
    return tuple(names)


def run(engine: Engine, now: float = 0.0) -> float:
    """Step until idle; returns the instant of the last step's end."""
    while (step := engine.begin(now)) is not None:
        now += step.seconds
        engine.complete(step, now)
    return now


def test_an_idle_engine_has_no_step():
    assert Engine(PROFILE).begin(0.0) is None


def test_a_lone_request_takes_its_prefill_floor_and_then_one_step_a_token():
    engine = Engine(PROFILE)
    sequence = engine.submit(Work(prompt_tokens=20_000, output_tokens=50), 0.0)
    end = run(engine)
    assert sequence.first_token_at == pytest.approx(prefill_floor(PROFILE, 20_000))
    decoding = decode_run(PROFILE, steps=49, decodes=1, decode_context=20_000)
    assert end - sequence.first_token_at == pytest.approx(decoding)
    assert sequence.emitted == 50
    assert engine.idle


def test_a_shared_prefix_is_not_computed_twice():
    engine = Engine(PROFILE)
    work = Work(prompt_tokens=4096, output_tokens=1, blocks=blocks(1, tokens=4096))
    first = engine.submit(work, 0.0)
    now = run(engine)
    second = engine.submit(work, now)
    step = engine.begin(now)
    assert step is not None
    assert (first.cached_tokens, second.cached_tokens) == (0, 4080), "the last block is always computed"
    assert step.seconds == pytest.approx(step_time(PROFILE, [(16, 4080)]))


def test_an_answer_is_cached_for_the_next_turn_of_its_conversation():
    engine = Engine(PROFILE)
    engine.submit(Work(prompt_tokens=320, output_tokens=161, blocks=blocks(1, tokens=481)), 0.0)
    now = run(engine)
    turn = engine.submit(Work(prompt_tokens=640, output_tokens=1, blocks=blocks(1, tokens=640)), now)
    run(engine, now)
    assert turn.cached_tokens == 480


def test_decodes_come_first_and_prefills_share_what_is_left_of_the_budget():
    engine = Engine(PROFILE, chunk_tokens=1024, max_sequences=8)
    early = [engine.submit(Work(prompt_tokens=64, output_tokens=10), 0.0) for _ in range(4)]
    step = engine.begin(0.0)
    assert step is not None
    engine.complete(step, 0.1)
    long = engine.submit(Work(prompt_tokens=3000, output_tokens=1), 0.1)
    step = engine.begin(0.1)
    assert step is not None
    assert step.decodes == early
    assert step.prefills == [(long, 1020)]
    assert step.tokens == 1024
    expected = step_time(PROFILE, [(1020, 0)], decodes=4, decode_context=4 * 64)
    assert step.seconds == pytest.approx(expected)


def test_the_queue_is_first_come_first_served_even_past_one_that_does_not_fit():
    engine = Engine(PROFILE, kv_tokens=1600)
    engine.submit(Work(prompt_tokens=800, output_tokens=200), 0.0)
    large = engine.submit(Work(prompt_tokens=900, output_tokens=10), 0.0)
    small = engine.submit(Work(prompt_tokens=16, output_tokens=1), 0.0)
    step = engine.begin(0.0)
    assert step is not None
    engine.complete(step, 0.1)
    assert [large.state, small.state] == ["waiting", "waiting"]
    run(engine, 0.1)
    assert large.admitted_at == small.admitted_at > 0.1


def test_at_most_max_sequences_are_in_the_batch():
    engine = Engine(PROFILE, max_sequences=3)
    for _ in range(5):
        engine.submit(Work(prompt_tokens=16, output_tokens=4), 0.0)
    assert engine.begin(0.0) is not None
    assert (engine.running, len(engine.waiting)) == (3, 2)


@pytest.mark.parametrize("state", ["waiting", "prefill", "decode"])
def test_an_aborted_request_gives_everything_back_and_gets_nothing_more(state):
    engine = Engine(PROFILE, max_sequences=1, chunk_tokens=64)
    if state == "waiting":
        engine.submit(Work(prompt_tokens=64, output_tokens=100), 0.0)
    prompt = 200 if state == "prefill" else 64
    sequence = engine.submit(Work(prompt, 100, blocks=blocks(1, tokens=prompt)), 0.0)
    step = engine.begin(0.0)
    assert step is not None
    engine.complete(step, 0.1)
    under_way = engine.begin(0.1)
    assert under_way is not None
    assert sequence.state == state
    emitted = sequence.emitted
    engine.abort(sequence)
    engine.abort(sequence)
    outcome = engine.complete(under_way, 0.2)
    assert sequence not in outcome.emitted
    assert sequence.emitted == emitted
    run(engine, 0.2)
    assert engine.cache.used == 0
    assert engine.idle


@pytest.mark.parametrize(
    ("prompt", "output", "why"),
    [(0, 1, "at least one"), (1, 0, "at least one"), (1600, 2, "larger than the whole KV pool")],
)
def test_a_request_that_can_never_run_is_refused_at_once(prompt, output, why):
    with pytest.raises(ValueError, match=why):
        Engine(PROFILE, kv_tokens=1600).submit(Work(prompt, output), 0.0)


def test_a_budget_smaller_than_the_batch_is_refused():
    with pytest.raises(ValueError, match="token budget"):
        Engine(PROFILE, chunk_tokens=100)


works = st.builds(
    lambda prompt, output, families: Work(prompt, output, blocks=blocks(*families, tokens=prompt + output)),
    st.integers(1, 700),
    st.integers(1, 60),
    st.lists(st.integers(0, 2), min_size=1, max_size=4),
)
arrivals = st.lists(
    st.tuples(st.floats(0, 0.5), works, st.none() | st.integers(0, 20)), min_size=1, max_size=25
)


@settings(max_examples=100, deadline=None)
@given(arrivals)
def test_every_history_conserves_tokens_and_keeps_every_limit(arrivals):
    """Requests arrive, some leave after a number of steps; the engine must come out even."""
    engine = Engine(PROFILE, kv_tokens=1024, max_sequences=5, chunk_tokens=256)
    pending = sorted(arrivals, key=lambda arrival: arrival[0])
    leaving: list[tuple[int, Sequence]] = []
    everyone: list[Sequence] = []
    got: dict[int, int] = {}
    admitted: list[int] = []
    now, steps, computed = 0.0, 0, 0
    while pending or not engine.idle:
        while pending and (pending[0][0] <= now or engine.idle):
            at, work, patience = pending.pop(0)
            now = max(now, at)
            sequence = engine.submit(work, now)
            everyone.append(sequence)
            if patience is not None:
                leaving.append((steps + patience, sequence))
        step = engine.begin(now)
        assert step is not None, "work waits, so there is a step: nothing else holds the pool"
        admitted += [sequence.key for sequence in step.admitted]
        assert 0 < step.tokens <= 256
        assert engine.running <= 5
        assert engine.cache.used <= engine.cache.resident <= engine.cache.capacity
        assert step.seconds > 0
        for _, sequence in [entry for entry in leaving if entry[0] <= steps]:
            engine.abort(sequence)
        now += step.seconds
        steps += 1
        live = {sequence.key for sequence in step.decodes if sequence.state == "decode"}
        outcome = engine.complete(step, now)
        computed += len(live) + sum(new for sequence, new in step.prefills if sequence.state != "aborted")
        emitted = [sequence.key for sequence in outcome.emitted]
        assert live <= set(emitted)
        assert len(emitted) == len(set(emitted)), "one token a step at most"
        for key in emitted:
            got[key] = got.get(key, 0) + 1
    assert engine.cache.used == 0
    assert admitted == sorted(admitted), "admitted in order of arrival"
    for sequence in everyone:
        assert sequence.state in ("finished", "aborted")
        assert sequence.emitted == got.get(sequence.key, 0) <= sequence.work.output_tokens
        if sequence.state == "finished":
            assert sequence.emitted == sequence.work.output_tokens
            assert sequence.computed == sequence.work.prompt_tokens + sequence.emitted - 1
            assert (
                sequence.arrived <= sequence.admitted_at < sequence.first_token_at <= sequence.last_token_at
            )
            assert sequence.cached_tokens < sequence.work.prompt_tokens
    survivors = [sequence for sequence in everyone if sequence.state == "finished"]
    assert computed >= sum(sequence.computed - sequence.cached_tokens for sequence in survivors)


@settings(max_examples=30, deadline=None)
@given(arrivals)
def test_the_same_history_twice_is_the_same_history(arrivals):
    def history() -> list[tuple[float, int]]:
        engine = Engine(PROFILE, kv_tokens=1024, max_sequences=5, chunk_tokens=256)
        made = [engine.submit(work, 0.0) for _, work, _ in arrivals]
        run(engine)
        return [(sequence.last_token_at, sequence.cached_tokens) for sequence in made]

    assert history() == history()
