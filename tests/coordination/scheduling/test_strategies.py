"""What a route may say of the choice of replicas: strategies, scorers, stickiness, imbalance (R21)."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION
from coordination.scheduling import ReplicaReport, observe, set_health
from coordination.scheduling.scorers import SCORERS
from coordination.spec.declaration import Fields
from coordination.spec.kinds import NOTATIONS
from coordination.spec.notation import Choice, Table
from tests.support.programs import SECOND, START, a_policy
from tests.support.virtual_fleet import VirtualFleet

PROMPT = tuple(range(1, 61))
TOKENS = len(PROMPT) * 128


def fleet_of(replicas: int = 4, **route: Any) -> VirtualFleet:
    policy = a_policy().model().pool(replicas=replicas).tier(max_wait=600 * SECOND).tenant()
    return VirtualFleet(policy.route(**route).load(), output_of=lambda request: request.max_tokens or 1)


def homes(fleet: VirtualFleet, *names: str) -> list[str | None]:
    return [fleet.served[name].replica for name in names]


def warmed(**route: Any) -> tuple[VirtualFleet, str]:
    """A fleet in which one replica has the prompt cached."""
    fleet = fleet_of(**route)
    fleet.request(blocks=PROMPT, prompt=TOKENS, request_id="warm")
    fleet.run()
    return fleet, fleet.sent[0].replica


def home_of_one(ahead: int, **route: Any) -> tuple[str, str]:
    """(where a prompt of 0.77 s goes, where it is cached and ``ahead`` microseconds are ahead of it)."""
    fleet, holder = warmed(**route)
    pool = fleet.state.pools["p"]
    replica = pool.by_url[holder]
    replica.backlog_us += ahead
    pool.refresh(replica)
    fleet.request(at=5 * SECOND, blocks=PROMPT, prompt=TOKENS, request_id="one")
    fleet.run(until=5 * SECOND)
    ticket = fleet.state.tickets.get("one")
    found = fleet.served["one"].replica if ticket is None or ticket.home is None else ticket.home.url
    assert found is not None
    return found, holder


@pytest.mark.parametrize(
    ("ahead", "route", "stays"),
    [
        (0, {"strategy": "balanced"}, True),
        (1_300_000, {"strategy": "balanced"}, True),
        (2_000_000, {"strategy": "balanced"}, False),
        (700_000, {"strategy": "latency_first"}, True),
        (1_300_000, {"strategy": "latency_first"}, False),
        (60_000_000, {"strategy": "cache_first"}, True),
        (60_000_000, {"strategy": "cache_first", "max_imbalance": 2}, False),
        (400_000, {"strategy": "cache_first", "max_imbalance": 2}, True),
        (1_300_000, {"strategy": "balanced", "max_imbalance": 4}, False),
        (1_500_000, {"scorers": {"cache": MILLION}}, True),
        (1_000, {"scorers": {"prefill": MILLION}}, False),
        (700_000, {"scorers": {"latency": MILLION}}, True),
        (1_300_000, {"scorers": {"latency": MILLION}}, False),
        (1_500_000, {"scorers": {"cache": 3 * MILLION, "prefill": MILLION}}, True),
        (1_500_000, {"scorers": {"cache": MILLION, "prefill": 3 * MILLION}}, False),
    ],
    ids=repr,
)
def test_when_a_request_stays_where_its_prefix_is(ahead, route, stays):
    found, holder = home_of_one(ahead, **route)
    assert (found == holder) == stays


def test_spread_looks_at_load_and_at_no_cache():
    fleet, _ = warmed(strategy="spread")
    for number in range(8):
        fleet.request(at=5 * SECOND + number, blocks=PROMPT, prompt=TOKENS, request_id=f"r{number}")
    fleet.run()
    found = homes(fleet, *(f"r{number}" for number in range(8)))
    assert len(set(found)) == 4, "each has the least to do at some time"


def test_scorers_for_memory_and_for_places_see_other_gateways_too():
    for scorer, report in (
        ("kv_free", ReplicaReport(at=START, kv_used_ppm=600_000)),
        ("running", ReplicaReport(at=START, running=200, waiting=0)),
    ):
        fleet = fleet_of(2, scorers={scorer: MILLION})
        observe(fleet.program, fleet.state, "p", "http://p-0", report, START)
        for number in range(3):
            fleet.request(at=number * 10, prompt=100, request_id=f"r{number}")
        fleet.run(until=SECOND)
        assert set(homes(fleet, "r0", "r1", "r2")) == {"http://p-1"}, scorer


def test_a_request_for_an_adapter_goes_where_it_is_in_use_then_where_it_is_loaded():
    fleet = fleet_of(12, scorers={"adapter": MILLION, "prefill": MILLION // 10})
    sql = frozenset({"sql"})

    def home(adapter: str, number: int) -> str:
        """Of a request that comes alone; eleven replicas have less to do than the last two."""
        at = (number + 1) * SECOND
        fleet.request(at=at, prompt=100, request_id=f"r{number}", adapter=adapter)
        fleet.run()
        return str(homes(fleet, f"r{number}")[0])

    def tell(url: str, report: ReplicaReport) -> None:
        observe(fleet.program, fleet.state, "p", url, report, fleet.now)

    pool = fleet.state.pools["p"]
    for url in ("http://p-10", "http://p-11"):
        pool.computed(pool.by_url[url], 10**6)  # last in every order of load
    assert home("sql", 0) not in {"http://p-10", "http://p-11"}, "nobody has it: load decides"
    tell("http://p-10", ReplicaReport(at=fleet.now, loaded=sql))
    assert home("sql", 1) == "http://p-10"
    tell("http://p-11", ReplicaReport(at=fleet.now, adapters=sql, loaded=sql))
    assert home("sql", 2) == "http://p-11"
    assert home("", 3) not in {"http://p-10", "http://p-11"}, "who asks for none goes by load"
    tell("http://p-11", ReplicaReport(at=fleet.now))
    assert home("sql", 4) == "http://p-10"
    tell("http://p-11", ReplicaReport(at=fleet.now, adapters=sql))
    assert home("sql", 9) == "http://p-10", "what was in use four seconds ago may be so no more"


def test_memory_an_engine_lacks_counts_as_taken():
    fleet = fleet_of(2, scorers={"kv_free": MILLION})
    pool = fleet.state.pools["p"]
    has = pool.pool.kv_tokens
    small = ReplicaReport(at=START, kv_used_ppm=100_000, kv_capacity=has // 2)
    observe(fleet.program, fleet.state, "p", "http://p-0", small, START)
    assert pool.by_url["http://p-0"].foreign_kv_tokens == has // 2 // 10 + has - has // 2
    large = ReplicaReport(at=START, kv_used_ppm=100_000, kv_capacity=has * 2)
    observe(fleet.program, fleet.state, "p", "http://p-0", large, START)
    assert pool.by_url["http://p-0"].foreign_kv_tokens == has * 2 // 10


def test_every_scorer_of_the_language_is_known():
    placement = NOTATIONS["Route"].fields["placement"].notation
    assert isinstance(placement, Fields)
    table = placement.fields["scorers"].notation
    assert isinstance(table, Table)
    assert isinstance(table.key, Choice)
    assert set(SCORERS) == set(table.key.choices)


def test_a_session_keeps_its_replica_for_as_long_as_the_route_says():
    fleet = fleet_of(sticky_for=10 * SECOND)
    for number, at in enumerate((0, 5, 14, 40)):
        fleet.request(at=at * SECOND, prompt=500, stickiness="s", request_id=f"s{number}")
        fleet.request(at=at * SECOND + 200_000, prompt=400, request_id=f"other{number}")
    fleet.run()
    found = homes(fleet, "s0", "s1", "s2", "s3")
    assert found[0] == found[1] == found[2]
    assert found[3] != found[0], "26 s of silence: the idlest it is"


def test_a_session_leaves_its_replica_when_something_speaks_against_it():
    fleet = fleet_of(2, sticky_for=600 * SECOND)
    fleet.request(prompt=500, stickiness="s", request_id="s0")
    fleet.run()
    kept = fleet.sent[0].replica
    fleet.request(at=5 * SECOND, prompt=40_000, stickiness="s", request_id="s1")
    fleet.request(at=5 * SECOND + 10, prompt=500, stickiness="s", request_id="s2")
    fleet.run()
    assert homes(fleet, "s1") == [kept]
    assert homes(fleet, "s2") != [kept], "4 s of prefill ahead are more than release_after"
    set_health(fleet.program, fleet.state, "p", kept, False, fleet.now)
    fleet.request(at=60 * SECOND, prompt=500, stickiness="s", request_id="s3")
    fleet.run()
    assert homes(fleet, "s3") != [kept]


def test_sessions_that_share_a_prompt_settle_apart_and_stay_where_they_settled():
    """Twenty conversations that begin alike, one after the other, each of ten turns that add 5k tokens."""
    fleet = fleet_of(4)
    random_ = random.Random(1)
    for number in range(20):
        chain = list(range(60))
        for turn in range(10):
            chain.extend(random_.getrandbits(60) for _ in range(40))
            fleet.request(
                at=number * 3 * SECOND + turn * 12 * SECOND,
                blocks=tuple(chain),
                prompt=len(chain) * 128,
                stickiness=f"c{number}",
                request_id=f"c{number}.{turn}",
            )
    fleet.run()
    first = homes(fleet, *(f"c{number}.0" for number in range(20)))
    last = homes(fleet, *(f"c{number}.9" for number in range(20)))
    assert max(first.count(url) for url in set(first)) <= 10, f"not all where the first one went: {first}"
    assert sum(a == b for a, b in zip(first, last, strict=True)) >= 18, "and they stay"


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["cache_first", "latency_first", "spread", "scorers", "sticky", "even"]),
    st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=8),
    st.integers(0, 1000),
)
def test_whatever_the_strategy_no_unhealthy_replica_is_chosen_while_a_healthy_one_exists(kind, changes, seed):
    routes: dict[str, dict[str, Any]] = {
        "scorers": {"scorers": {"cache": 2 * MILLION, "locality": MILLION, "running": MILLION}},
        "sticky": {"sticky_for": 100 * SECOND},
        "even": {"max_imbalance": 1.5},
    }
    route = routes.get(kind, {"strategy": kind})
    fleet = fleet_of(4, **route)
    random_ = random.Random(seed)
    for step in range(40):
        first = random_.randint(1, 3)
        fleet.request(
            at=step * 40_000,
            blocks=(first, first * 100 + random_.randint(4, 9)),
            prompt=300,
            stickiness=f"s{random_.randint(1, 5)}",
        )
    pool = fleet.state.pools["p"]
    for step, (number, healthy) in enumerate(changes):
        fleet.run(until=step * 200_000)
        set_health(fleet.program, fleet.state, "p", f"http://p-{number}", healthy, fleet.now)
        seen = len(fleet.sent)
        sick = {one.url for one in pool.replicas.values() if one.health.state != "healthy"}
        fleet.run(until=step * 200_000 + 199_999)
        assert not {sent.replica for sent in fleet.sent[seen:]} & sick
    for number in range(4):
        set_health(fleet.program, fleet.state, "p", f"http://p-{number}", True, fleet.now)
    fleet.dispatch_all()
    fleet.run()
    assert all(one.finished or one.refused for one in fleet.served.values())


def test_what_lives_at_replicas_is_what_sessions_remember():
    fleet = fleet_of(3)
    random_ = random.Random(3)
    for number in range(200):
        fleet.request(at=number * 5 * SECOND, prompt=random_.randint(10, 900), stickiness=f"s{number % 37}")
    fleet.run()
    pool = fleet.state.pools["p"]
    lives = pool.sessions._lives
    assert 0 < len(lives) <= 37
    for replica in pool.replicas.values():
        assert replica.resident == sum(tokens for at, tokens, _ in lives.values() if at is replica)
