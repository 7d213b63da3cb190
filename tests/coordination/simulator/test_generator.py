"""Is drawn traffic what its description says?"""

from __future__ import annotations

from itertools import pairwise
from statistics import fmean, pstdev

import pytest

from coordination.simulator import Traffic, Workload, WorkloadError, generate
from coordination.simulator.generator import read_workload


def drawn(seed: int = 3, requests: int = 4000, **habits):
    given = {"tenant": "acme", "sessions_per_second": 5.0, "turns": 1.0}
    workload = Workload(clients=(Traffic(**{**given, **habits}),), requests=requests)
    return list(generate(workload, model="m", seed=seed))


def test_arrivals_come_in_order_at_the_rate_asked_for_and_the_same_each_time():
    arrivals = drawn(turns=3.0)
    assert len(arrivals) == 4000
    assert all(one.at_us <= other.at_us for one, other in pairwise(arrivals))
    sessions = len({one.session for one in arrivals})
    assert sessions / (arrivals[-1].at_us / 1e6) == pytest.approx(5, rel=0.1)
    assert len(arrivals) / sessions == pytest.approx(3, rel=0.1)
    assert arrivals == drawn(turns=3.0)
    assert arrivals != drawn(seed=4, turns=3.0)


@pytest.mark.parametrize("burstiness", [0.5, 1.0, 3.0])
def test_burstiness_is_the_spread_of_the_time_between_sessions(burstiness):
    arrivals = drawn(burstiness=burstiness, requests=20_000)
    gaps = [other.at_us - one.at_us for one, other in pairwise(arrivals)]
    assert fmean(gaps) == pytest.approx(200_000, rel=0.12)
    assert pstdev(gaps) / fmean(gaps) == pytest.approx(burstiness, rel=0.12)


def test_each_turn_repeats_the_history_and_families_share_their_system_prompt():
    arrivals = drawn(turns=6.0, families=3, system_tokens=2048)
    last: dict[int, tuple[int, ...]] = {}
    for one in arrivals:
        assert len(one.blocks) == one.prompt_tokens // 512
        before = last.get(one.session, ())
        assert one.blocks[: len(before)] == before
        last[one.session] = one.blocks
    families = [blocks[:4] for blocks in last.values()]
    counts = sorted((families.count(one) for one in set(families)), reverse=True)
    assert len(counts) == 3
    assert counts[0] / counts[2] == pytest.approx(3, rel=0.4)
    own = [blocks[4] for blocks in last.values() if len(blocks) > 4]
    assert len(own) == len(set(own))


def test_an_agent_works_in_many_short_steps_until_its_context_is_full():
    arrivals = drawn(turns=1000.0, pause_seconds=1.0, prompt_tokens=2000, context_tokens=30_000)
    assert max(one.prompt_tokens for one in arrivals) <= 30_000
    steps: dict[int, int] = {}
    for one in arrivals:
        steps[one.session] = steps.get(one.session, 0) + 1
    assert fmean(list(steps.values())[:20]) > 5


def test_clients_keep_their_tenants_and_tiers_apart():
    workload = Workload(
        clients=(
            Traffic(tenant="acme", sessions_per_second=3.0, service_tier="fast"),
            Traffic(tenant="globex", sessions_per_second=1.0),
        ),
        requests=2000,
    )
    arrivals = list(generate(workload, model="m", seed=1, speed=2.0))
    assert {(one.tenant, one.service_tier) for one in arrivals} == {("acme", "fast"), ("globex", None)}
    acme = {block for one in arrivals if one.tenant == "acme" for block in one.blocks}
    globex = {block for one in arrivals if one.tenant == "globex" for block in one.blocks}
    assert not acme & globex


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "truncated"),
        ('{"requests": 5, "clients": []}', "length >= 1"),
        ('{"requests": 5, "clients": [{"tenant": "a", "sessions_per_second": 0}]}', r"> 0.*clients"),
        ('{"requests": 5, "clients": [{"tenant": "a", "sessions_per_second": 1, "burst": 2}]}', "burst"),
    ],
)
def test_a_bad_description_says_what_is_wrong(text, says):
    with pytest.raises(WorkloadError, match=says):
        read_workload(text.encode())
