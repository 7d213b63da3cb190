"""A canary on trial: when it is given up, who moves then, and what brings it back (R4)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from coordination.program.records import MILLION, GuardRecord
from coordination.scheduling import Verdict, activate, admit, cancel, fared, new_state
from coordination.scheduling.routing import arm, arm_instead, point
from coordination.scheduling.trials import SLICES, Window, exceeds
from coordination.scheduling.values import Request
from tests.support.programs import MINUTE, SECOND, START, PolicyBuilder, a_policy

GUARD = GuardRecord(errors_ppm=20_000, slower_ppm=500_000, over=5 * MINUTE)
QUICK = SECOND // 5


def policy(canary: int = 20, guard: GuardRecord = GUARD, **route: Any) -> PolicyBuilder:
    made = a_policy().model().pool("stable").pool("canary").tier().tenant("acme")
    return made.route("all", ("stable", 100 - canary), ("canary", canary), guards={"canary": guard}, **route)


class Bench:
    def __init__(self, made: PolicyBuilder) -> None:
        self.program = made.load()
        self.state = new_state(self.program, route_salt="salt", seed=1, now=START)
        self.now = START
        self.made = 0

    def ask(self, session: str) -> Any:
        self.made += 1
        asked = Request(
            request_id=f"r{self.made}",
            tenant="acme",
            model="m",
            tier="standard",
            scale=False,
            prompt_tokens=10,
            max_tokens=10,
            blocks=(),
            arrived=self.now,
            stickiness=session,
        )
        decision = admit(self.program, self.state, asked, self.now)
        assert cancel(self.program, self.state, asked.request_id, self.now)
        return decision

    def pools(self, sessions: int = 400) -> dict[str, str]:
        return {f"s{n}": self.ask(f"s{n}").pool for n in range(sessions)}

    def session_at(self, pool: str) -> str:
        return next(
            f"s{n}"
            for n in range(10_000)
            if arm(self.program.routes["all"], point("salt", "all", f"s{n}"))[0] == pool
        )

    def end(
        self,
        pool: str,
        *,
        failed: bool = False,
        took: int = QUICK,
        streamed: bool = True,
        after: int = SECOND,
    ) -> list[Verdict]:
        """A request that ``pool`` served is over."""
        self.now += after
        decision = self.ask("anybody")
        decision.pool = pool
        return fared(self.program, self.state, decision, failed, streamed, took, self.now)

    def activate(self, made: PolicyBuilder) -> None:
        self.program = made.load()
        activate(self.state, self.program, self.now)


def fail_it(bench: Bench) -> Verdict:
    for _ in range(20):
        found = bench.end("canary", failed=True)
        if found:
            return found[0]
    raise AssertionError("it was not given up")


def test_a_canary_that_fails_three_times_in_a_row_is_given_up():
    bench = Bench(policy())
    for _ in range(30):
        assert bench.end("stable") == []
    assert [bench.end("canary", failed=True) for _ in range(2)] == [[], []]
    (verdict,) = bench.end("canary", failed=True)
    assert (verdict.route, verdict.pool, verdict.why) == ("all", "canary", "errors")
    assert (verdict.requests, verdict.figure, verdict.others, verdict.at) == (3, MILLION, 0, bench.now)


def test_failures_now_and_then_within_the_guard_are_borne():
    bench = Bench(policy(guard=replace(GUARD, errors_ppm=100_000)))
    for number in range(300):
        assert bench.end("canary", failed=number % 15 == 0) == []


def test_what_fails_everywhere_is_not_the_canarys_fault():
    bench = Bench(policy())
    for _ in range(50):
        assert bench.end("stable", failed=True) == []
        assert bench.end("canary", failed=True) == []


def test_a_slow_canary_is_given_up_once_it_is_beyond_doubt():
    bench = Bench(policy())
    given_up = None
    for number in range(200):
        bench.end("stable", took=QUICK + number % 7 * 10_000)
        found = bench.end("canary", took=2 * QUICK + number % 5 * 10_000)
        if found:
            given_up = number, found[0]
            break
    assert given_up is not None
    number, verdict = given_up
    assert verdict.why == "slower"
    assert number + 1 >= 20
    assert verdict.figure > 1.5 * verdict.others


@pytest.mark.parametrize("streamed", [True, False])
def test_a_canary_a_little_slower_than_the_others_stays(streamed: bool):
    bench = Bench(policy())
    for number in range(200):
        bench.end("stable", took=QUICK + number % 7 * 10_000, streamed=streamed)
        assert bench.end("canary", took=QUICK * 13 // 10 + number % 7 * 10_000, streamed=streamed) == []


def test_streams_are_not_compared_with_whole_answers():
    """Whole answers take ten times as long; the canary just happens to get all of them."""
    bench = Bench(policy())
    for _ in range(200):
        bench.end("stable", took=QUICK, streamed=True)
        assert bench.end("canary", took=10 * QUICK, streamed=False) == []


def test_what_lies_before_the_window_is_forgotten():
    bench = Bench(policy())
    assert [bench.end("canary", failed=True) for _ in range(2)] == [[], []]
    bench.now += GUARD.over
    assert [bench.end("canary", failed=True) for _ in range(2)] == [[], []]
    assert len(bench.end("canary", failed=True)) == 1


def test_whoever_fell_to_it_goes_to_the_others_and_nobody_else_moves():
    made = a_policy().model().pool("a").pool("b").pool("canary").tier().tenant("acme")
    made.route("all", ("a", 60), ("canary", 20), ("b", 20), guards={"canary": GUARD}, fallback=("canary",))
    bench = Bench(made)
    before = bench.pools(1000)
    fail_it(bench)
    after = bench.pools(1000)
    assert {s for s in before if before[s] != after[s]} == {s for s in before if before[s] == "canary"}
    moved = [after[s] for s in before if before[s] == "canary"]
    assert set(moved) == {"a", "b"}
    assert 0.65 < moved.count("a") / len(moved) < 0.85
    decision = bench.ask(next(s for s in before if before[s] == "canary"))
    assert any(
        step.says.startswith("canary canary is given up (100 % of its requests failed, of others 0 %)")
        for step in decision.steps
    )


def test_it_stays_given_up_under_a_policy_that_says_the_same_of_its_route():
    bench = Bench(policy())
    fail_it(bench)
    bench.activate(policy().tenant("other"))
    assert "canary" not in bench.pools().values()
    for _ in range(50):
        assert bench.end("canary") == []
    assert "canary" not in bench.pools().values()


def test_another_weight_is_another_try():
    bench = Bench(policy())
    fail_it(bench)
    bench.activate(policy(canary=10))
    assert "canary" in bench.pools().values()
    assert bench.state.trials == {}


def test_a_count_under_way_survives_a_policy_that_says_the_same():
    bench = Bench(policy())
    for _ in range(2):
        bench.end("canary", failed=True)
    bench.activate(policy())
    assert len(bench.end("canary", failed=True)) == 1


def test_a_route_that_is_gone_takes_its_trials_along():
    bench = Bench(policy())
    fail_it(bench)
    bench.activate(a_policy().model().pool("stable").tier().tenant("acme").route("other", "stable"))
    assert bench.state.trials == {}


def test_growing_a_canary_on_trial_only_extends_its_interval():
    small, large = Bench(policy(canary=5)).pools(1000), Bench(policy(canary=30)).pools(1000)
    assert all(large[s] == "canary" for s in small if small[s] == "canary")


@pytest.mark.parametrize(
    "route",
    [
        {"guards": {}},
        {"guards": {"stable": GUARD, "canary": GUARD}},
    ],
)
def test_without_a_guard_or_without_others_nothing_is_watched(route: dict[str, Any]):
    made = a_policy().model().pool("stable").pool("canary").tier().tenant("acme")
    bench = Bench(made.route("all", ("stable", 80), ("canary", 20), **route))
    for _ in range(20):
        assert bench.end("canary", failed=True) == []
    assert bench.state.trials == {}
    assert "canary" in bench.pools().values()


def test_of_two_canaries_each_has_its_own_trial():
    made = a_policy().model().pool("stable").pool("one").pool("two").tier().tenant("acme")
    made.route("all", ("stable", 50), ("one", 25), ("two", 25), guards={"one": GUARD, "two": GUARD})
    bench = Bench(made)
    for _ in range(5):
        bench.end("one", failed=True)
        assert bench.end("two") == []
    assert bench.state.trials["all"].gone == {"one"}
    assert set(bench.pools().values()) == {"stable", "two"}


@given(
    st.lists(st.integers(0, 50), min_size=2, max_size=6),
    st.integers(0, 2**64 - 1),
    st.sets(st.integers(0, 5)),
)
def test_an_arm_is_left_only_if_it_is_gone_and_for_one_that_is_not(weights, at, gone):
    made = a_policy().model().tier().tenant("acme")
    for number in range(len(weights)):
        made.pool(f"p{number}")
    route = made.route("all", *((f"p{n}", w) for n, w in enumerate(weights))).load().routes["all"]
    names = {f"p{n}" for n in gone}
    first, found = arm(route, at)[0], arm_instead(route, at, names)
    left = {f"p{n}" for n, weight in enumerate(weights) if weight} - names
    if first not in names or not left:
        assert found == first
    else:
        assert found in left


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 40 * SECOND), st.booleans(), st.booleans()), max_size=60))
def test_a_window_holds_what_came_within_it(events):
    over, now = 100 * SECOND, START
    window, came = Window(over), []
    for gap, failed, streamed in events:
        now += gap
        window.add(failed, streamed, QUICK, now)
        came.append((now // (over // SLICES), failed, streamed))
        kept = [one for one in came if one[0] > now // (over // SLICES) - SLICES]
        total = window.sum(now)
        assert (total.requests, total.failed) == (len(kept), sum(one[1] for one in kept))
        assert [times.count for times in total.times] == [
            sum(not one[1] and one[2] is kind for one in kept) for kind in (False, True)
        ]


@given(st.integers(1, 2000), st.data())
def test_more_failures_never_make_a_canary_look_better(requests, data):
    failed = data.draw(st.integers(0, requests))
    bound = data.draw(st.integers(0, MILLION))
    if exceeds(failed, requests, bound):
        assert failed * MILLION > bound * requests
        assert failed == requests or exceeds(failed + 1, requests, bound)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["stable", "canary", "same", "other"]), st.booleans(), st.integers(0, 60 * SECOND)
        ),
        max_size=40,
    )
)
def test_given_up_is_for_good_until_the_route_changes(steps):
    bench = Bench(policy())
    weight = 20
    gone = False
    for what, failed, after in steps:
        if what == "same":
            bench.activate(policy(canary=weight))
        elif what == "other":
            weight = 30 if weight == 20 else 20
            bench.activate(policy(canary=weight))
            gone = False
        else:
            found = bench.end(what, failed=failed, after=after)
            assert not (found and gone)
            gone = gone or bool(found)
        trials = bench.state.trials.get("all")
        assert (trials is not None and trials.gone == {"canary"}) == gone
        assert bench.ask(bench.session_at("canary")).pool == ("stable" if gone else "canary")
