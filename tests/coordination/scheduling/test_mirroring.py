"""A copy of a request: who gets one, where there is room for it, and what it leaves alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from coordination.program.index import load
from coordination.program.records import MILLION
from coordination.scheduling import (
    Copy,
    Dispatch,
    Usage,
    activate,
    admit,
    copied,
    copy_began,
    dispatch,
    mirror,
    new_state,
    settle,
)
from coordination.scheduling.mirroring import AT_ONCE, LARGEST_BODY
from coordination.scheduling.values import Request
from tests.support.programs import START, PolicyBuilder, a_policy, limit

ALL = MILLION


def policy(share: int = ALL, **route: Any) -> PolicyBuilder:
    made = a_policy().model().pool("p", replicas=2).pool("shadow", replicas=2).tier().tenant("acme")
    made.quota("q", "acme", limit("total_tokens", "day", 10**9), concurrency=1000)
    return made.route("all", ("p", 1), ("shadow", 0), mirrors={"shadow": share}, **route)


class Bench:
    def __init__(self, made: PolicyBuilder) -> None:
        self.program = made.load()
        self.state = new_state(self.program, route_salt="s", seed=1, now=START)
        self.now = START
        self.made = 0

    def send(self, pool: str = "p", **more: Any) -> Dispatch:
        self.made += 1
        name = f"r{self.made}"
        given = {"stickiness": name, "blocks": (), "prompt_tokens": 1000, "tier": "standard", **more}
        asked = Request(
            request_id=name,
            tenant="acme",
            model="m",
            scale=False,
            max_tokens=100,
            arrived=self.now,
            **given,
        )
        decision = admit(self.program, self.state, asked, self.now)
        assert decision.verdict == "admit", decision.message
        (sent,) = dispatch(self.program, self.state, pool, self.now)
        return sent

    def settle(self, sent: Dispatch) -> None:
        settle(self.program, self.state, sent, Usage(1000, 0, 10), "completed", self.now)

    def mirror(self, sent: Dispatch) -> list[Copy]:
        return mirror(self.state, sent, self.now)

    def dropped(self) -> dict[str, int]:
        return {str(why): count for why, count in self.state.copies["all", "shadow"].dropped.items()}

    def occupied(self, pool: str) -> list[tuple[int, int, int]]:
        return [
            (one.sequences, one.kv_tokens, one.backlog_us) for one in self.state.pools[pool].replicas.values()
        ]


def test_a_copy_takes_up_a_replica_and_nothing_of_the_tenants():
    bench = Bench(policy())
    sent = bench.send()
    before = [meter.remaining(bench.now) for meter in bench.state.meters.values()]
    paid = bench.state.pools["p"].queue(200).leaf(("acme",)).start
    (copy,) = bench.mirror(sent)
    assert (copy.route, copy.pool, copy.replica) == ("all", "shadow", "http://shadow-0")
    assert bench.occupied("shadow") == [(1, 1100, 100_000), (0, 0, 0)]
    assert [meter.remaining(bench.now) for meter in bench.state.meters.values()] == before
    assert [slots.used for slots in bench.state.slots.values()] == [1]
    assert bench.state.pools["p"].queue(200).leaf(("acme",)).start == paid
    assert sent.decision.steps[-1].says == "a copy goes to http://shadow-0 of pool shadow"
    copy_began(copy)
    assert bench.occupied("shadow") == [(1, 1100, 0), (0, 0, 0)]
    copied(copy, "completed", bench.now)
    assert bench.occupied("shadow") == [(0, 0, 0)] * 2
    assert bench.state.copies["all", "shadow"].ended == {"completed": 1}
    assert bench.state.pools["shadow"].ordinary_sequences == 0


@pytest.mark.parametrize("share", [0, 100_000, 500_000, ALL])
def test_the_share_is_of_sessions_and_each_is_copied_wholly_or_not_at_all(share: int):
    bench = Bench(policy(share))
    copied_of: dict[str, set[bool]] = {}
    for number in range(400):
        sent = bench.send(stickiness=f"s{number % 200}")
        copies = bench.mirror(sent)
        copied_of.setdefault(f"s{number % 200}", set()).add(bool(copies))
        for one in copies:
            copied(one, "completed", bench.now)
        bench.settle(sent)
    assert all(len(found) == 1 for found in copied_of.values())
    part = sum(found == {True} for found in copied_of.values())
    assert abs(part - 200 * share // MILLION) <= (0 if share in (0, ALL) else 30)


def test_what_has_no_room_is_dropped_and_counted():
    bench = Bench(policy())
    sent = bench.send()
    assert bench.mirror(bench.send(size=LARGEST_BODY + 1)) == []
    pool = bench.state.pools["shadow"]
    for replica in pool.replicas.values():
        replica.sequences += 1000
        pool.refresh(replica)
    assert bench.mirror(sent) == []
    for replica in pool.replicas.values():
        replica.sequences -= 1000
        pool.refresh(replica)
    pool.waiting = 1
    assert bench.mirror(sent) == []
    pool.waiting = 0
    assert bench.dropped() == {"too_large": 1, "no_room": 1, "waiting": 1}
    assert sent.decision.steps[-1].says == "no copy goes to pool shadow: waiting"


def test_so_many_copies_are_under_way_at_once_and_no_more():
    made = a_policy().model().pool("p", replicas=2, sequences=1000, input_per_minute=10**9)
    made.pool("shadow", replicas=2, sequences=1000, input_per_minute=10**9).tier().tenant("acme")
    bench = Bench(made.route("all", ("p", 1), ("shadow", 0), mirrors={"shadow": ALL}))
    copies = [bench.mirror(bench.send(prompt_tokens=10)) for _ in range(AT_ONCE + 5)]
    assert [len(found) for found in copies] == [1] * AT_ONCE + [0] * 5
    assert bench.dropped() == {"too_many": 5}
    copied(copies[0][0], "completed", bench.now)
    assert len(bench.mirror(bench.send(prompt_tokens=10))) == 1


def test_a_pool_that_serves_only_what_is_reserved_gets_no_copies():
    made = a_policy().model().pool("p").pool("shadow", isolation="reserved_only").tier().tenant("acme")
    bench = Bench(made.route("all", ("p", 1), ("shadow", 0), mirrors={"shadow": ALL}))
    assert bench.mirror(bench.send()) == []
    assert bench.dropped() == {"no_room": 1}


def test_what_goes_there_anyhow_is_not_sent_there_twice():
    made = a_policy().model().pool("p").pool("shadow").tier().tenant("acme")
    bench = Bench(made.route("all", ("p", 0), ("shadow", 1), mirrors={"shadow": ALL}))
    assert bench.mirror(bench.send("shadow")) == []
    assert bench.state.copies == {}


def test_a_replica_that_fails_copies_is_ejected_as_any_other():
    made = a_policy().model().pool("p").pool("shadow", replicas=1).tier().tenant("acme")
    bench = Bench(made.route("all", ("p", 1), ("shadow", 0), mirrors={"shadow": ALL}))
    for _ in range(2):
        (copy,) = bench.mirror(bench.send())
        copied(copy, "connect", bench.now)
    (replica,) = bench.state.pools["shadow"].replicas.values()
    assert replica.health.state == "ejected"
    assert bench.mirror(bench.send()) == []


def test_a_policy_that_comes_meanwhile_does_not_disturb_a_copy():
    bench = Bench(policy())
    (copy,) = bench.mirror(bench.send())
    records = policy().records()
    gone = replace(
        records,
        pools=records.pools[:1],
        routes=tuple(replace(one, targets=one.targets[:1]) for one in records.routes),
    )
    activate(bench.state, load(gone), bench.now)
    copied(copy, "completed", bench.now)
    assert bench.state.copies["all", "shadow"].open == 0
