"""Does a request that waits alone come out as it would by the long way, in every word of its explanation?"""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.index import Program
from coordination.scheduling import dispatching, explain
from tests.support.programs import a_policy, limit
from tests.support.virtual_fleet import VirtualFleet

short_way = dispatching._alone


def long_way(pool: Any, queue: Any, reserve: Any, now: int) -> None:
    dispatching._find_homes(pool, queue, now)


def policy(strategy: str) -> Program:
    built = a_policy().model().pool("p", replicas=3, sequences=4).pool("q", replicas=2)
    built.tier("standard", overflow_to="spill", max_wait=3_000_000, max_depth=40).tier("high", band=300)
    built.tenant("a", weight=3).tenant("a/x").tenant("b")
    built.quota("limits", "a", limit("total_tokens", "1m", 400_000), concurrency=40)
    built.reservation("r", "b", tier="standard")
    return built.route("all", ("p", 3), ("q", 1), fallback=("q",), strategy=strategy).load()


def told(seed: int, strategy: str, longest_gap_us: int) -> tuple[list[Any], list[Any]]:
    """What is said of every request, and where fair queueing stands at the end."""
    random_ = random.Random(seed)
    fleet = VirtualFleet(policy(strategy), seed=seed, output_of=lambda request: request.max_tokens or 9)
    at = 0
    for _ in range(80):
        at += random_.randint(1, longest_gap_us)
        conversation = random_.randint(1, 9)
        blocks = (1, *(conversation * 1000 + depth for depth in range(random_.randint(0, 20))))
        fleet.request(
            random_.choice(["a", "a/x", "b"]),
            at=at,
            tier=random_.choice(["standard", "high"]),
            prompt=len(blocks) * 128,
            blocks=random_.choice([blocks, ()]),
            max_tokens=random_.randint(1, 400),
            stickiness=f"c{conversation}",
        )
    fleet.run()
    said = [explain(sent) for sent in fleet.sent]
    said += [explain(one.decision) for one in fleet.served.values() if one.refused]
    stands = [
        (pool.pool.name, queue.band, queue.depth, leaf.name, leaf.start, leaf.virtual, leaf.backlog)
        for pool in fleet.state.pools.values()
        for queue in pool.queues
        for leaf in queue.leaves()
    ]
    return said, stands


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    strategy=st.sampled_from(["balanced", "round_robin", "least_outstanding"]),
    longest_gap_us=st.sampled_from([2_000, 20_000, 300_000]),
)
def test_the_short_way_and_the_long_way_say_the_same(seed, strategy, longest_gap_us):
    went: list[bool] = []

    def counted(*given: Any) -> Any:
        choice = short_way(*given)
        went.append(choice is not None)
        return choice

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatching, "_alone", counted)
        by_short = told(seed, strategy, longest_gap_us)
        patch.setattr(dispatching, "_alone", long_way)
        by_long = told(seed, strategy, longest_gap_us)
    assert any(went)
    assert by_short == by_long
