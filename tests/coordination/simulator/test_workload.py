"""Is a trace given to tenants as declared, and the same way each time?"""

from __future__ import annotations

from collections import Counter

import pytest

from coordination.simulator import Client, Mix, even_mix, from_trace
from coordination.simulator.workload import conversation
from coordination.traces import TraceRequest
from tests.coordination.simulator.policies import fleet, patient, program


def trace(count: int = 2000) -> list[TraceRequest]:
    return [TraceRequest(n + 1, n * 1000, 1100, 5, (0, 10 + n // 4, 9000 + n)) for n in range(count)]


def test_clients_get_conversations_by_weight_and_keep_all_their_turns():
    mix = Mix((Client("acme", "fast", 3), Client("globex")), "m")
    arrivals = list(from_trace(trace(), mix, speed=1, seed=7))
    by_session: dict[int, set[str]] = {}
    for one in arrivals:
        by_session.setdefault(one.session, set()).add(one.tenant)
    assert all(len(tenants) == 1 for tenants in by_session.values())
    counts = Counter(one.tenant for one in arrivals)
    assert counts["acme"] / counts["globex"] == pytest.approx(3, rel=0.25)
    assert {(one.tenant, one.service_tier) for one in arrivals} == {("acme", "fast"), ("globex", None)}


def test_only_whole_blocks_are_shared_and_speed_shortens_time():
    first, second = list(from_trace(trace(2), Mix((Client("acme"),), "m"), speed=4, seed=1))
    assert first.blocks == (0, 10)
    assert (first.at_us, second.at_us) == (0, 250)
    assert (first.prompt_tokens, first.output_tokens) == (1100, 5)


def test_the_same_seed_draws_the_same_and_another_draws_another():
    mix = Mix((Client("acme"), Client("globex")), "m")
    drawn = [[one.tenant for one in from_trace(trace(), mix, speed=1, seed=seed)] for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_a_client_of_weight_nothing_gets_nothing():
    mix = Mix((Client("acme", weight=0), Client("globex")), "m")
    assert {one.tenant for one in from_trace(trace(), mix, speed=1, seed=1)} == {"globex"}
    with pytest.raises(ValueError, match="weight above 0"):
        Mix((Client("acme", weight=0),), "m")


def test_without_a_declaration_every_tenant_gets_its_part_in_its_own_tier():
    mix = even_mix(program(patient(fleet()).tenant("acme").tenant("globex")))
    assert [(one.tenant, one.service_tier, one.weight) for one in mix.clients] == [
        ("acme", None, 1),
        ("globex", None, 1),
    ]
    assert mix.model == "m"


def test_a_conversation_is_told_by_its_second_block():
    assert conversation(TraceRequest(5, 0, 1, 1, ())) != conversation(TraceRequest(6, 0, 1, 1, ()))
    assert conversation(TraceRequest(5, 0, 1, 1, (3,))) == 3
    assert conversation(TraceRequest(5, 0, 600, 1, (3, 4))) == 4
