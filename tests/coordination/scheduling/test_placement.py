"""Where requests go: the cache, the load, the trap of the shared first block, and sick replicas."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.scheduling import dispatch, explain, fail, first_byte, set_health
from coordination.scheduling.decisions import Dispatch
from tests.support.programs import SECOND, one_pool
from tests.support.virtual_fleet import VirtualFleet


def conversations(fleet: VirtualFleet, count: int, turns: int, seed: int, gap: int) -> None:
    """Conversations that all share block 0 (a system prompt) and nothing else."""
    random_ = random.Random(seed)
    at = 0
    chains = [[0] for _ in range(count)]
    for _turn in range(turns):
        for number, chain in enumerate(chains):
            chain.extend(random_.getrandbits(60) for _ in range(random_.randint(4, 16)))
            at += random_.randint(1, 2 * gap)
            fleet.request(
                at=at, blocks=tuple(chain), prompt=len(chain) * 128, stickiness=f"c{number}", max_tokens=64
            )


@pytest.mark.parametrize("seed", range(3))
def test_all_conversations_share_block_0_and_still_spread(seed):
    fleet = VirtualFleet(one_pool(replicas=8).load())
    conversations(fleet, count=100, turns=12, seed=seed, gap=18_000)
    fleet.run()
    computed: dict[str, int] = dict.fromkeys(fleet.program.pools["p"].replicas, 0)
    cached = total = 0
    for sent in fleet.sent:
        computed[sent.replica] += sent.ticket.uncached
        cached += sent.ticket.cached
        total += sent.request.prompt_tokens
    assert max(computed.values()) / (sum(computed.values()) / 8) < 1.3, "nobody gets them all: that were 8"
    assert cached / total > 0.6, "and conversations still find their own prefix"


def test_idle_replicas_with_equal_claims_take_turns():
    fleet = VirtualFleet(one_pool(replicas=4).load())
    for number in range(40):
        fleet.request(at=number * SECOND, prompt=1000)
    fleet.run()
    replicas = [sent.replica for sent in fleet.sent]
    assert {replicas.count(url) for url in set(replicas)} == {10}


def test_a_conversation_stays_where_its_prefix_is():
    fleet = VirtualFleet(one_pool(replicas=4).load())
    chain: list[int] = []
    for turn in range(10):
        chain.extend(range(turn * 100, turn * 100 + 8))
        fleet.request(at=turn * 2 * SECOND, blocks=tuple(chain), prompt=len(chain) * 128, stickiness="c")
        fleet.request(at=turn * 2 * SECOND + 1, prompt=500)
    fleet.run()
    homes = {sent.replica for sent in fleet.sent if sent.request.stickiness == "c"}
    assert len(homes) == 1


def test_a_match_of_less_than_a_fifth_is_no_reason_to_queue():
    fleet = VirtualFleet(one_pool(replicas=2).load())
    fleet.request(blocks=(1,), prompt=128, request_id="first")
    fleet.run()
    holder = fleet.sent[0].replica
    for number in range(4):
        blocks = (1, *(number * 100 + depth for depth in range(60)))
        fleet.request(at=SECOND, blocks=blocks, prompt=len(blocks) * 128)
    fleet.run(until=SECOND)
    sent = [one.replica for one in fleet.sent[1:]]
    assert len(set(sent)) == 2
    assert holder in sent


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12), st.integers(0, 1000))
def test_an_unhealthy_replica_is_never_chosen_while_a_healthy_one_exists(changes, seed):
    fleet = VirtualFleet(one_pool(replicas=4).load(), seed=seed)
    random_ = random.Random(seed)
    pool = fleet.state.pools["p"]
    for step in range(60):
        first = random_.randint(1, 3)
        fleet.request(at=step * 30_000, blocks=(first, first * 100 + random_.randint(4, 9)), prompt=300)
    for step, (number, healthy) in enumerate(changes):
        fleet.run(until=step * 150_000)
        set_health(fleet.program, fleet.state, "p", f"http://p-{number}", healthy, fleet.now)
        seen = len(fleet.sent)
        sick = {one.url for one in pool.replicas.values() if one.health.state != "healthy"}
        fleet.run(until=step * 150_000 + 149_999)
        assert not {sent.replica for sent in fleet.sent[seen:]} & sick
    for number in range(4):
        set_health(fleet.program, fleet.state, "p", f"http://p-{number}", True, fleet.now)
    fleet.dispatch_all()
    fleet.run()
    assert all(one.finished or one.refused for one in fleet.served.values())


def first_of(fleet: VirtualFleet, **request: object) -> Dispatch:
    fleet.request(at=fleet.now - 1_767_225_600_000_000, **request)  # type: ignore[arg-type]
    before = len(fleet.sent)
    fleet.run(until=fleet.now - 1_767_225_600_000_000)
    return fleet.sent[before]


def test_failures_in_a_row_eject_a_replica_and_one_probe_brings_it_back():
    fleet = VirtualFleet(one_pool(replicas=2).load())
    program, state = fleet.program, fleet.state
    sick = "http://p-0"
    for _ in range(4):
        sent = first_of(fleet)
        if sent.replica != sick:
            first_byte(program, state, sent, fleet.now)
            fleet.run(until=fleet.now - 1_767_225_600_000_000 + SECOND)
            continue
        assert fail(program, state, sent, "connect", fleet.now) is None
        fleet._events = [event for event in fleet._events if event[3] is not sent]
        fleet.dispatch_all()
    health = state.pools["p"].by_url[sick].health
    while health.state == "healthy":
        sent = first_of(fleet)
        if sent.replica == sick:
            fail(program, state, sent, "connect", fleet.now)
            fleet._events = [event for event in fleet._events if event[3] is not sent]
        fleet.dispatch_all()
    assert health.state == "ejected"
    assert {first_of(fleet, prompt=10).replica for _ in range(5)} == {"http://p-1"}
    fleet.now = health.until
    probes = [first_of(fleet, prompt=10).replica for _ in range(4)]
    assert probes.count(sick) == 1, "half-open: one request tries it"
    fleet.run(until=fleet.now - 1_767_225_600_000_000 + SECOND)
    assert health.usable(fleet.now)
    assert not fleet.state.pools["p"].troubled


def test_when_no_replica_is_healthy_one_is_tried_all_the_same():
    fleet = VirtualFleet(one_pool(replicas=2).load())
    pool = fleet.state.pools["p"]
    for replica in pool.replicas.values():
        replica.health.eject(fleet.now)
    pool.refresh_health(fleet.now)
    fleet.request(at=1)
    fleet.run(until=10)
    assert len(fleet.sent) == 1


def test_nothing_goes_to_a_cordoned_replica_even_if_it_is_the_last():
    fleet = VirtualFleet(one_pool(replicas=1).load())
    set_health(fleet.program, fleet.state, "p", "http://p-0", False, fleet.now)
    fleet.request()
    fleet.run(until=SECOND)
    assert not fleet.sent
    set_health(fleet.program, fleet.state, "p", "http://p-0", True, fleet.now)
    assert len(dispatch(fleet.program, fleet.state, "p", fleet.now)) == 1


def test_the_explanation_names_every_candidate_and_why_it_was_not_taken():
    fleet = VirtualFleet(one_pool(replicas=3).load())
    prompt = tuple(range(20))
    fleet.request(blocks=prompt, prompt=2600)
    fleet.run()
    fleet.request(at=5 * SECOND, blocks=prompt, prompt=2600)
    fleet.run()
    told = explain(fleet.sent[1])
    candidates = told["dispatch"]["candidates"]
    assert [one["chosen"] for one in candidates] == [True, False, False]
    assert candidates[0]["matched_blocks"] == 20
    assert all("later" in one["rejected"] for one in candidates[1:])
    assert [step["rule"] for step in told["steps"]] == ["R1", "R4", "R6", "R15", "R15", "R22"]
    assert told["charge"]["hold_error"] == 64 - 1024


@given(st.integers(0, 1000), st.integers(1, 200_000))
@settings(max_examples=30, deadline=None)
def test_a_prompt_nobody_holds_goes_to_the_least_loaded_of_the_open_the_idlest_of_equals(seed, gap):
    """The short way for it in ``placement`` takes what scoring each candidate would."""
    random_ = random.Random(seed)
    fleet = VirtualFleet(one_pool(replicas=6).load())
    at = 0
    for _ in range(60):
        at += random_.randint(1, gap)
        fleet.request(at=at, prompt=random_.randint(1, 4000), max_tokens=random_.randint(1, 64))
    fleet.run()
    at_once = [sent for sent in fleet.sent if not sent.queue_us]
    assert at_once
    for sent in at_once:
        assert len(sent.considered) == 4
        opened = [one for one in sent.considered if one[5]]
        assert opened
        best = min((load + prefill, recent) for _, load, prefill, _, recent, _, _ in opened)
        home = next(one for one in opened if one[0].url == sent.replica)
        assert (home[1] + home[2], home[4]) == best


def test_what_was_seen_of_replicas_is_what_they_showed_then_whatever_becomes_of_them():
    fleet = VirtualFleet(one_pool(replicas=3).load())
    for at, prompt in enumerate((900, 300, 600, 50)):
        fleet.request(at=at, prompt=prompt, max_tokens=8)
    fleet.run(until=2)  # three prefill, one on each
    shown = {
        one.url: (one.backlog_us + one.parked_us, one.recent)
        for one in fleet.state.pools["p"].replicas.values()
    }
    fleet.run()
    sent = fleet.sent[3]
    assert {one[0].url: (one[1], one[4]) for one in sent.considered} == shown
    assert sorted(load for load, _ in shown.values())[0] > 0
    assert {(one[3], one[5], one[6]) for one in sent.considered} == {(0, True, True)}
