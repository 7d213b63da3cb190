"""Do the published strategies stand beside ours fairly, and is the known trap one?"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmarks.placement import FIGURE_5, HBM_TOKENS, ROUNDED_US, ours, spread, workloads
from benchmarks.strategies import STRATEGIES, Router
from coordination.capacity import PROFILES
from coordination.simulator import Arrival, Traffic, Workload, generate
from coordination.simulator.replica import EngineLimits

LIMITS = EngineLimits(PROFILES["llama-3-70b-h100-tp4"], HBM_TOKENS, 256, 0)
CHATS = Workload(
    clients=(Traffic(tenant="acme", sessions_per_second=0.7, turns=4.0, prompt_tokens=3000),), requests=400
)
TRACE = Path(os.environ.get("HEADWAY_TRACES", "")) / "mooncake_conversation_trace.jsonl"


@pytest.fixture(scope="module")
def arrivals() -> list[Arrival]:
    """Conversations that all share block 0 and nothing else beyond their own."""
    return list(generate(CHATS, model="llama", seed=3))


def test_a_batch_is_spread_over_the_time_it_was_rounded_to_and_keeps_its_order():
    batches = [
        Arrival(at, "acme", None, "m", n + 1, 1, (), n)
        for n, at in enumerate([0, 0, 0, 3_000_000, 3_000_000])
    ]
    spread_out = spread(batches, seed=1)
    assert [one.prompt_tokens for one in spread_out] == [1, 2, 3, 4, 5]
    instants = [one.at_us for one in spread_out]
    assert instants == sorted(instants)
    assert 0 < instants[1] < instants[2] < 3_000_000 <= instants[3] < 3_000_000 + ROUNDED_US
    assert spread(batches, seed=1) == spread_out != spread(batches, seed=2)


@pytest.mark.parametrize("name", STRATEGIES)
def test_each_strategy_serves_every_request_and_leaves_nothing_behind(name, arrivals):
    router = Router(4, LIMITS, seed=1)
    outcome = router.run(arrivals, STRATEGIES[name])
    assert router.ttft.count == len(arrivals)
    assert router.queued == [0] * 4
    assert sum(one.output_tokens for one in router.replicas) == sum(one.output_tokens for one in arrivals)
    assert 0 <= outcome.token_hit < 1
    assert outcome == Router(4, LIMITS, seed=1).run(arrivals, STRATEGIES[name])


def test_following_the_longest_match_alone_sends_all_conversations_to_one_replica_and_ours_does_not(arrivals):
    trapped = Router(4, LIMITS, 1).run(arrivals, STRATEGIES["longest_match"])
    found = ours(arrivals, 4, LIMITS, 1)
    assert trapped.computed_imbalance > 3.9
    assert found.computed_imbalance < 1.5
    assert found.mean < trapped.mean
    assert found.token_hit > Router(4, LIMITS, 1).run(arrivals, STRATEGIES["least_prefill_queue"]).token_hit


@pytest.mark.slow
@pytest.mark.skipif(not TRACE.exists(), reason="HEADWAY_TRACES names no folder with the Mooncake trace")
def test_the_order_of_mooncakes_figure_5_comes_out_and_its_values_within_half():
    limits = EngineLimits(PROFILES["llama-3-70b-a100-tp4"], HBM_TOKENS, 256, 3_000_000 - HBM_TOKENS)
    trace = next(workloads(TRACE, None, 0))[1]
    means = {name: Router(16, limits, 1).run(trace, STRATEGIES[name]).mean for name in FIGURE_5}
    assert sorted(means, key=lambda name: -means[name]) == list(FIGURE_5)
    for name, published in FIGURE_5.items():
        assert means[name] == pytest.approx(published, rel=0.5), name
