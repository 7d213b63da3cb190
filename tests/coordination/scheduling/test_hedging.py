"""A second attempt beside a slow first one: when, where, at whose cost (R22)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.records import MILLION, CapsRecord
from coordination.scheduling import (
    Dispatch,
    State,
    Usage,
    admit,
    dispatch,
    fail,
    first_byte,
    hedge,
    lose,
    new_state,
    set_health,
    settle,
    watch,
)
from coordination.scheduling.values import Request
from tests.support.programs import SECOND, START, PolicyBuilder, a_policy, limit

AFTER = SECOND // 2


def policy(most: int = MILLION, replicas: int = 3, **pool: Any) -> PolicyBuilder:
    made = a_policy().model().pool(replicas=replicas, **pool).tier().tenant("acme")
    made.quota("q", "acme", limit("total_tokens", "day", 10**9), concurrency=100)
    return made.route(hedging=(AFTER, most))


class Bench:
    """One gateway's state, a clock, and requests that are sent at once."""

    def __init__(self, made: PolicyBuilder) -> None:
        self.program = made.load()
        self.state: State = new_state(self.program, route_salt="s", seed=1, now=START)
        self.now = START
        self.made = 0

    def ask(self, prompt: int = 1000, **more: object) -> str:
        self.made += 1
        name = f"r{self.made}"
        given = {"stickiness": name, "blocks": (), "tier": "standard", **more}
        asked = Request(
            request_id=name,
            tenant="acme",
            model="m",
            scale=False,
            prompt_tokens=prompt,
            max_tokens=100,
            arrived=self.now,
            **given,  # type: ignore[arg-type]
        )
        decision = admit(self.program, self.state, asked, self.now)
        assert decision.verdict != "refuse", decision.message
        return name

    def send(self, **more: object) -> Dispatch:
        self.ask(**more)  # type: ignore[arg-type]
        (sent,) = dispatch(self.program, self.state, "p", self.now)
        watch(self.program, self.state, sent)
        return sent

    def hedge(self, sent: Dispatch) -> Dispatch:
        found = hedge(self.program, self.state, sent, self.now)
        assert isinstance(found, Dispatch), found
        return found

    def declined(self, sent: Dispatch) -> str:
        found = hedge(self.program, self.state, sent, self.now)
        assert isinstance(found, str)
        return found

    def lose(self, loser: Dispatch, reason: str = "dropped") -> None:
        lose(self.program, self.state, loser, reason, self.now)  # type: ignore[arg-type]

    def settle(self, sent: Dispatch, usage: Usage | None = None) -> object:
        return settle(self.program, self.state, sent, usage or Usage(1000, 0, 50), "completed", self.now)

    def paid(self) -> int:
        return self.state.pools["p"].queue(200).leaf(("acme",)).start

    def occupied(self) -> list[tuple[int, int, int]]:
        return [
            (one.sequences, one.kv_tokens, one.backlog_us) for one in self.state.pools["p"].replicas.values()
        ]

    def says(self, sent: Dispatch) -> list[str]:
        return [step.says for step in sent.decision.steps]


def test_a_slow_attempt_is_made_a_second_time_on_another_replica():
    bench = Bench(policy())
    sent = bench.send()
    assert watch(bench.program, bench.state, sent) == AFTER
    bench.now += AFTER
    second = bench.hedge(sent)
    assert (second.attempt, second.request, second.pool) == (2, sent.request, "p")
    assert second.replica != sent.replica
    assert sorted(bench.occupied())[1:] == [(1, 1100, 100_000)] * 2
    assert f"attempt 2 on {second.replica} beside attempt 1, which sent nothing for 500.0 ms" in bench.says(
        sent
    )


def test_whoever_answers_first_is_billed_alone_and_both_are_charged():
    bench = Bench(policy())
    sent = bench.send()
    second = bench.hedge(sent)
    cost = bench.program.models["m"].cost
    assert bench.paid() == 2 * cost(1000, 0, 100)
    bench.lose(sent)
    first_byte(bench.program, bench.state, second, bench.now)
    charge = bench.settle(second)
    assert (charge.attempt, charge.usage.output) == (2, 50)  # type: ignore[attr-defined]
    assert bench.paid() == cost(1000, 0, 50) + cost(1000, 0, 0)
    (meter,) = bench.state.meters.values()
    assert meter.limit - meter.remaining(bench.now) == 1050
    assert [one.used for one in bench.state.slots.values()] == [0]
    assert bench.occupied() == [(0, 0, 0)] * 3
    assert bench.state.hedges["all"].won == 1


def test_the_first_attempt_wins_as_well():
    bench = Bench(policy())
    sent = bench.send()
    second = bench.hedge(sent)
    bench.lose(second)
    assert bench.settle(sent).attempt == 1  # type: ignore[attr-defined]
    assert bench.paid() == sum(bench.program.models["m"].cost(1000, 0, n) for n in (50, 0))
    assert bench.occupied() == [(0, 0, 0)] * 3
    assert bench.state.hedges["all"].won == 0
    assert bench.says(sent)[-2].startswith(f"attempt 2 on {second.replica} is over (dropped)")


def test_a_failed_one_of_two_is_refunded_and_the_other_goes_on_without_a_retry():
    bench = Bench(policy())
    sent = bench.send()
    second = bench.hedge(sent)
    bench.lose(sent, "connect")
    assert bench.paid() == bench.program.models["m"].cost(1000, 0, 100)
    assert bench.state.pools["p"].by_url[sent.replica].health.score == 2
    with pytest.raises(ValueError, match="already over"):
        settle(bench.program, bench.state, sent, Usage(1, 0, 1), "completed", bench.now)
    assert bench.settle(second).attempt == 2  # type: ignore[attr-defined]


def test_a_retry_after_a_second_attempt_has_a_number_of_its_own():
    bench = Bench(policy())
    sent = bench.send()
    bench.lose(bench.hedge(sent), "reset")
    assert fail(bench.program, bench.state, sent, "reset", bench.now) is None
    (third,) = dispatch(bench.program, bench.state, "p", bench.now)
    assert third.attempt == 3
    assert len({sent.replica, third.replica}) == 2


def test_an_attempt_beside_another_cannot_fail_alone():
    bench = Bench(policy())
    sent = bench.send()
    bench.hedge(sent)
    with pytest.raises(ValueError, match="goes on beside it"):
        fail(bench.program, bench.state, sent, "reset", bench.now)


def test_there_is_no_second_attempt_after_the_first_byte_nor_a_third_one():
    bench = Bench(policy())
    sent = bench.send()
    second = bench.hedge(sent)
    assert bench.declined(sent) == "over"
    assert bench.declined(second) == "over"
    bench.lose(second)
    first_byte(bench.program, bench.state, sent, bench.now)
    assert bench.declined(sent) == "over"
    assert bench.says(sent)[-1].endswith("no second one: over")


def test_not_while_others_wait_for_the_pool():
    bench = Bench(policy(replicas=2, input_per_minute=60_000))
    sent, *_ = [bench.send() for _ in range(4)]  # each has one it computes, and one for its next step
    bench.ask()
    assert dispatch(bench.program, bench.state, "p", bench.now) == []
    assert bench.declined(sent) == "waiting"


def test_not_where_there_is_no_other_healthy_replica():
    alone = Bench(policy(replicas=1))
    assert alone.declined(alone.send()) == "no_room"
    bench = Bench(policy(replicas=2))
    sent = bench.send()
    (other,) = bench.state.pools["p"].by_url.keys() - {sent.replica}
    set_health(bench.program, bench.state, "p", other, False, bench.now)
    assert bench.declined(sent) == "no_room"
    set_health(bench.program, bench.state, "p", other, True, bench.now)
    bench.state.pools["p"].by_url[other].health.eject(bench.now)
    bench.state.pools["p"].refresh_health(bench.now)
    assert bench.declined(sent) == "no_room"


def test_not_to_a_replica_that_failed_the_request():
    bench = Bench(policy(replicas=2))
    sent = bench.send()
    assert fail(bench.program, bench.state, sent, "reset", bench.now) is None
    (again,) = dispatch(bench.program, bench.state, "p", bench.now)
    assert bench.declined(again) == "no_room"


def capped(sequences: int) -> Bench:
    made = a_policy().model().pool(replicas=3).tier().tenant("acme")
    made.quota("q", "acme", caps=CapsRecord(sequences=sequences))
    return Bench(made.route(hedging=(AFTER, MILLION)))


def test_a_second_attempt_takes_its_part_of_what_the_tenant_may_occupy():
    bench = capped(2)
    sent = bench.send()
    second = bench.hedge(sent)
    (cap,) = bench.state.caps.values()
    assert cap.used == 2
    bench.ask()
    assert dispatch(bench.program, bench.state, "p", bench.now) == []
    bench.lose(second)
    (third,) = dispatch(bench.program, bench.state, "p", bench.now)
    assert third.request is not sent.request
    bench.settle(sent)
    bench.settle(third)
    assert (cap.used, cap.holders) == (0, {})


def test_a_tenant_that_occupies_all_it_may_is_not_tried_twice():
    bench = capped(1)
    assert bench.declined(bench.send()) == "capped"
    bench = capped(2)
    sent = bench.send()
    bench.send()
    bench.ask()
    assert bench.declined(sent) == "capped"


def test_of_a_route_that_does_not_hedge_nothing_is_watched():
    bench = Bench(a_policy().model().pool(replicas=2).tier().tenant("acme").route())
    sent = bench.send()
    assert watch(bench.program, bench.state, sent) is None
    assert bench.state.hedges == {}


@pytest.mark.parametrize(("most", "allowed"), [(50_000, 10), (MILLION, 200), (0, 0)])
def test_no_more_requests_are_tried_twice_than_the_route_says(most: int, allowed: int):
    bench = Bench(policy(most))
    done = 0
    for number in range(1, 201):
        sent = bench.send()
        found = hedge(bench.program, bench.state, sent, bench.now)
        if isinstance(found, Dispatch):
            done += 1
            bench.lose(found)
        else:
            assert found == "budget"
        assert done * MILLION <= number * most
        bench.settle(sent)
    assert done == allowed


def test_a_quiet_time_saves_up_ten_and_no_more():
    bench = Bench(policy(MILLION))
    for _ in range(50):
        bench.settle(bench.send())
    assert bench.state.hedges["all"].saved == 10 * MILLION


def test_the_replica_with_the_prefix_is_among_those_looked_at():
    bench = Bench(policy(replicas=8))
    blocks = tuple(range(1, 20))
    warm = bench.send(prompt=2400, blocks=blocks)
    first_byte(bench.program, bench.state, warm, bench.now)
    bench.settle(warm, Usage(2400, 0, 10))
    slow = bench.send(prompt=2400, blocks=blocks)
    assert slow.replica == warm.replica
    index = bench.state.pools["p"].index
    other = next(one for one in bench.state.pools["p"].replicas.values() if one.url != slow.replica)
    index.insert(blocks, other.bit, 0)
    second = bench.hedge(slow)
    assert second.replica == other.url
    assert slow.ticket.second is not None
    assert slow.ticket.second.cached > 0


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "hedge", "dropped", "unsent", "connect", "timeout", "win", "first", "done"]),
        st.integers(0, 5),
    ),
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_whatever_happens_nothing_is_left_behind(steps):
    """A model of the caller: attempts of each request under way, one or two."""
    bench = Bench(policy(MILLION // 2, replicas=4))
    program, state = bench.program, bench.state
    live: list[list[Dispatch]] = []
    for what, which in steps:
        bench.now += 1000
        if what == "send":
            for replica in list(state.pools["p"].by_url):
                set_health(program, state, "p", replica, True, bench.now)
            live.append([bench.send(prompt=10)])
            continue
        if not live:
            continue
        attempts = live[which % len(live)]
        if what == "hedge" and len(attempts) == 1:
            found = hedge(program, state, attempts[0], bench.now)
            if isinstance(found, Dispatch):
                attempts.append(found)
        elif what == "first" and len(attempts) == 1:
            first_byte(program, state, attempts[0], bench.now)
        elif what == "win" and len(attempts) == 2:
            bench.lose(attempts.pop(0))
        elif what in ("dropped", "unsent", "connect", "timeout") and len(attempts) == 2:
            bench.lose(attempts.pop(which % 2), what)
        elif what == "done" and len(attempts) == 1:
            bench.settle(attempts[0])
            live.remove(attempts)
        account = state.hedges["all"]
        assert account.second * MILLION <= account.requests * MILLION // 2
        assert sum(one.sequences for one in state.pools["p"].replicas.values()) == sum(map(len, live))
    for attempts in live:
        if len(attempts) == 2:
            bench.lose(attempts.pop())
        bench.settle(attempts[0])
    assert bench.occupied() == [(0, 0, 0)] * 4
    assert (state.pools["p"].ordinary_sequences, state.pools["p"].ordinary_kv) == (0, 0)
    assert [one.used for one in state.slots.values()] in ([], [0])
