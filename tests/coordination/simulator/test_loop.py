"""Does a simulation keep the laws any honest one must keep?"""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from coordination import scheduling
from coordination.capacity import PROFILES, prefill_floor
from coordination.program.index import load
from coordination.program.records import Timeouts
from coordination.simulator import Settings, Simulation, report
from coordination.simulator.promises import Promise, verdicts
from coordination.simulator.tally import Tally
from tests.coordination.simulator.policies import (
    PROFILE,
    arrival,
    fleet,
    patient,
    program,
    records,
    simulated,
)
from tests.support.programs import SECOND, limit

SMALL = PROFILES[PROFILE]
LARGE = "llama-3-70b-h100-tp4"


@st.composite
def traffic(draw):
    """Arrivals of three tenants in two tiers, with prefixes they share."""
    made = []
    at = 0.0
    for _ in range(draw(st.integers(1, 60))):
        at += draw(st.sampled_from([0.0, 0.001, 0.05, 1.0]))
        whole = draw(st.integers(0, 12))
        family = draw(st.integers(0, 2))
        made.append(
            arrival(
                at,
                tenant=draw(st.sampled_from(["acme", "globex", "initech"])),
                service_tier=draw(st.sampled_from([None, "fast", "slow", "unheard-of"])),
                prompt_tokens=whole * 512 + draw(st.integers(1, 511)),
                output_tokens=draw(st.integers(1, 80)),
                blocks=tuple(family * 100 + depth for depth in range(whole)),
                session=family,
            )
        )
    return made


def two_tiers():
    policy = fleet(replicas=2, sequences=4, kv_tokens=20 * 512)
    policy.tier("fast", band=300, max_wait=1 * SECOND).tier("slow", band=100, max_depth=8)
    for tenant in ("acme", "globex", "initech"):
        policy.tenant(tenant)
    policy.quota("few", "globex", limit("requests", "1m", 10), concurrency=3)
    policy.reservation("held", "acme", tier="fast", input_per_minute=300_000, output_per_minute=30_000)
    return program(policy)


@settings(max_examples=60, deadline=None)
@given(traffic(), st.sampled_from([0, 40 * 512]))
def test_every_request_is_accounted_for_and_no_token_is_lost(arrivals, host_tokens):
    found = simulated(two_tiers(), arrivals, host_tokens=host_tokens)
    total = found.tally.total()
    assert total.requests == found.arrived == len(arrivals)
    assert total.completed + sum(total.refused.values()) == total.requests
    assert found.live == 0
    replicas = found.replicas.values()
    assert sum(one.output_tokens for one in replicas) == total.output
    assert sum(one.input_tokens for one in replicas) == total.cached + total.uncached
    assert sum(one.computed_tokens for one in replicas) == total.uncached
    assert not any(one.cache.used or one.outstanding for one in replicas)
    for pool in found.state.pools.values():
        assert (pool.waiting, pool.ordinary_sequences, pool.ordinary_kv) == (0, 0, 0)
        assert all(
            (one.backlog_us, one.sequences, one.kv_tokens) == (0, 0, 0) for one in pool.replicas.values()
        )
    windows = found.tally.timeline.windows
    assert sum(window.arrived for window in windows) == len(arrivals)
    assert sum(window.completed for window in windows) == total.completed


class Watched(Simulation):
    """Checks at each event what must hold at all times."""

    def _complete(self, replica) -> None:
        self.check()
        super()._complete(replica)

    def _arrive(self, arrival) -> None:
        self.check()
        super()._arrive(arrival)

    def check(self) -> None:
        assert self.now >= self.checked, "time went backwards"
        self.checked = self.now
        for replica in self.replicas.values():
            assert replica.running <= replica.limits.sequences
            assert replica.cache.used <= replica.cache.resident <= replica.cache.capacity
            assert replica.next_at is not None or not replica.outstanding, "idle beside work"
        for pool in self.state.pools.values():
            if pool.waiting:
                assert any(one.sequences for one in pool.replicas.values()), "waits though all are idle"

    checked = 0


@settings(max_examples=60, deadline=None)
@given(traffic())
def test_time_never_turns_back_and_limits_hold_at_every_event(arrivals):
    Watched(two_tiers(), iter(arrivals), Settings()).run()


def test_nothing_comes_before_the_request_and_no_prefill_beats_the_floor():
    drawn = random.Random(5)
    arrivals = [
        arrival(n / 50, prompt_tokens=drawn.randrange(1, 9000), output_tokens=drawn.randrange(1, 50))
        for n in range(200)
    ]
    found = simulated(program(patient(fleet()).tenant("acme")), arrivals)
    for ttft, _, dispatch in found.tally.worst:
        assert dispatch.sent_at >= dispatch.request.arrived
        assert ttft >= prefill_floor(SMALL, dispatch.request.prompt_tokens) * 1e6 - 1


def test_a_steady_stream_to_one_replica_waits_as_in_the_deterministic_queue():
    """M/D/1: Poisson arrivals, one at a time, equal work: mean wait rho s / 2(1 - rho)."""
    prompt, load, count = 8000, 0.6, 12_000
    service = prefill_floor(SMALL, prompt)
    drawn, at = random.Random(11), 0.0
    arrivals = []
    for _ in range(count):
        at += drawn.expovariate(load / service)
        arrivals.append(arrival(at, prompt_tokens=prompt, output_tokens=1))
    found = simulated(program(patient(fleet(replicas=1, sequences=1)).tenant("acme")), arrivals)
    mean = found.tally.total().ttft.mean
    assert mean is not None
    expected = service + load * service / (2 * (1 - load))
    assert mean / 1e6 == pytest.approx(expected, rel=0.05)


def test_a_request_s_own_deadline_is_what_the_rules_and_the_promises_go_by():
    """A second's work for each: of five at once three name two seconds and a half, and two of them get it."""
    step = program(patient(fleet(replicas=1, sequences=1)).tenant("acme"))
    work = {"prompt_tokens": 4000, "output_tokens": 400}
    alone = simulated(step, [arrival(0, **work)])
    service = alone.now - alone.start
    given = [arrival(0, deadline_us=service * 5 // 2, **work) for _ in range(3)]
    found = simulated(step, [*given, arrival(1, **work), arrival(1, **work)])
    promise = Promise("p", "deadline", 60 * 60 * SECOND)
    (told,) = verdicts([promise], found.tally, found.program)
    total = found.tally.total()
    assert (total.dated.count, total.met) == (3, 2), "the third began in time, and was late"
    assert (told["kept"], told["given"]) == (4, 5)


def test_in_turn_over_equal_replicas_loads_them_equally():
    arrivals = [arrival(n / 20) for n in range(400)]
    found = simulated(program(patient(fleet(replicas=4, strategy="round_robin")).tenant("acme")), arrivals)
    replicas = list(found.replicas.values())
    assert {one.computed_tokens for one in replicas} == {100 * 1000}
    assert {one.steps for one in replicas} == {replicas[0].steps}
    assert report(found, {})["imbalance"] == {"input": 1.0, "computed": 1.0}


def test_an_idle_replica_is_never_left_idle_while_a_request_waits():
    """Work conservation: two replicas finish a burst in half the time of one."""
    burst = [arrival(0, prompt_tokens=8000, output_tokens=1) for _ in range(40)]
    ended = [
        (lambda found: found.now - found.start)(
            simulated(program(patient(fleet(replicas=n)).tenant("acme")), burst)
        )
        for n in (1, 2)
    ]
    assert ended[0] / ended[1] == pytest.approx(2, rel=0.02)


def test_an_engine_that_decodes_finds_the_next_prompt_when_its_step_ends(monkeypatch):
    """R19: of prompts that fit a step, none waits here through a step that computes no prompt at all."""
    policy = records(patient(fleet(replicas=1, input_per_minute=780_000)).tenant("acme"), LARGE)
    burst = [arrival(0, prompt_tokens=4000, output_tokens=300) for _ in range(20)]
    found = Simulation(load(policy), iter(burst), Settings())
    (engine,) = found.replicas.values()
    complete = engine.complete
    empty: list[int] = []

    def watched() -> bool:
        before, waiting = engine.computed_tokens, found.state.pools["p"].waiting
        somebody = complete()
        if waiting and engine.computed_tokens == before:
            empty.append(waiting)
        return somebody

    monkeypatch.setattr(engine, "complete", watched)
    found.run()
    assert found.tally.total().completed == 20
    assert not empty


def test_twice_the_weight_gets_twice_the_service_while_both_wait():
    policy = patient(fleet(replicas=1)).tenant("acme", weight=2).tenant("globex", weight=1)
    arrivals = [
        arrival(0, tenant=tenant, prompt_tokens=4000, output_tokens=1) for tenant in ("acme", "globex") * 300
    ]
    found = Simulation(program(policy), iter(arrivals), Settings())
    spent = {"acme": 0, "globex": 0}

    class WhileBothWait(Tally):
        def settled(self, decision, dispatch, charge, *rest) -> None:
            super().settled(decision, dispatch, charge, *rest)
            if found.state.pools["p"].waiting > 300:
                spent[decision.request.tenant] += charge.fairness_cost

    found.tally = WhileBothWait(found.start)
    found.run()
    assert spent["acme"] / spent["globex"] == pytest.approx(2, rel=0.05)


def test_an_answer_that_takes_too_long_is_cut_off_and_one_that_never_begins_fails():
    made = fleet(replicas=1)
    made.tier(max_wait=3600 * SECOND)
    made.tenant("acme")
    held = program(made).records
    times = Timeouts(first_byte=1 * SECOND, total=5 * SECOND)
    routes = tuple(structs.replace(route, timeouts=times) for route in held.routes)
    policy = load(structs.replace(held, routes=routes))
    long_answer = arrival(0, output_tokens=5000)
    long_prompt = arrival(20, prompt_tokens=120_000)
    fine = arrival(40)
    found = simulated(policy, [long_answer, long_prompt, fine])
    total = found.tally.total()
    assert total.completed == 1
    assert total.refused == {"upstream_timeout": 2}
    assert 500 < sum(one.output_tokens for one in found.replicas.values()) < 5000
    assert found.live == 0


def test_a_request_larger_than_the_cache_is_answered_by_the_engine_with_an_error():
    found = simulated(
        program(patient(fleet(kv_tokens=20 * 512)).tenant("acme")),
        [arrival(0, prompt_tokens=30 * 512), arrival(1)],
    )
    assert found.tally.total().refused == {"context_length_exceeded": 1}
    assert found.tally.total().completed == 1


def test_prefixes_are_shared_within_a_tenant_and_between_tenants_only_where_the_tier_says_so():
    chain = tuple(range(10))
    hits = {}
    for sharing in ("tenant", "pool"):
        policy = fleet(replicas=1).tier(cache_sharing=sharing).tenant("acme").tenant("globex")
        asked = [
            arrival(n * 10, tenant=tenant, prompt_tokens=5200, blocks=chain)
            for n, tenant in enumerate(("acme", "globex", "acme"))
        ]
        found = simulated(program(policy), asked)
        hits[sharing] = found.tally.total().cached // 5120
        assert found.bounds.shares()[0] == pytest.approx(hits[sharing] * 5120 / (3 * 5200))
    assert hits == {"tenant": 1, "pool": 2}


def test_the_host_tier_keeps_what_the_accelerator_cannot():
    policy = program(patient(fleet(replicas=1, kv_tokens=30 * 512)).tenant("acme"))
    chains = [tuple(range(n * 100, n * 100 + 10)) for n in range(8)]
    asked = [arrival(n, prompt_tokens=5200, blocks=chains[n % 8]) for n in range(16)]
    cached = [simulated(policy, asked, host_tokens=tokens).tally.total().cached for tokens in (0, 100 * 512)]
    assert cached == [0, 8 * 5120]


def test_progress_is_told_now_and_then():
    told = []
    arrivals = [arrival(n / 100, prompt_tokens=10, output_tokens=1) for n in range(1200)]
    Simulation(program(patient(fleet()).tenant("acme")), iter(arrivals), Settings()).run(
        lambda arrived, us: told.append((arrived, us))
    )
    assert [arrived for arrived, _ in told] == [500, 1000]
    assert told[0][1] < told[1][1]


def test_the_same_inputs_give_the_same_report_in_every_process_and_hash_seed():
    root = Path(__file__).resolve().parents[3]
    script = (
        "import sys, json, hashlib; from pathlib import Path;"
        "from coordination.simulator import Study, even_mix, simulate;"
        "from coordination.program.index import load;"
        "from tests.coordination.simulator.policies import fleet, patient, records;"
        "made = records(patient(fleet(4)).tenant('acme').tenant('globex'));"
        "trace = Path('examples/quickstart/trace.jsonl');"
        "told = simulate(Study(made, trace, even_mix(load(made)), speed=9.0));"
        "print(hashlib.sha256(json.dumps(told).encode()).hexdigest(), told['completed'])"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            cwd=root,
            env={"PYTHONPATH": "platform:.", "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    assert outputs.pop().split()[1] == "120"


def test_the_rules_are_called_and_not_copied(monkeypatch):
    """Every verb of a request's life goes through ``coordination.scheduling``."""
    called: set[str] = set()
    verbs = ("admit", "classify", "dispatch", "first_byte", "new_state", "progress", "settle")

    def noted(name: str):
        real = getattr(scheduling, name)

        def noting(*args, **more):
            called.add(name)
            return real(*args, **more)

        return noting

    for name in verbs:
        monkeypatch.setattr(scheduling, name, noted(name))
    simulated(program(patient(fleet()).tenant("acme")), [arrival(0, output_tokens=3000)])
    assert called == set(verbs)
