"""What a restart must not forget of the limits (R26): nothing twice, nothing lost."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.index import Program
from coordination.scheduling import (
    Dispatch,
    Remembered,
    Request,
    Usage,
    Used,
    admit,
    cancel,
    dispatch,
    new_state,
    recount,
    remember,
    restore,
    settle,
)
from coordination.scheduling.limits import MeterKey
from coordination.scheduling.state import State
from tests.support.programs import MINUTE, SECOND, START, a_policy, limit, one_pool

DAY = 24 * 3600 * SECOND


def limited() -> Program:
    policy = a_policy().model().pool().tier(max_wait=DAY, max_depth=10**6)
    policy.tenant("acme").tenant("acme/a").tenant("acme/b", zone="Asia/Tokyo").route()
    policy.quota(
        "top",
        "acme",
        limit("requests", "1m", 10**6),
        limit("requests", "day", 10**6),
        limit("total_tokens", "month", 10**9),
        limit("spend", "month", 10**15),
        limit("output_tokens", "day", 10**6),
    )
    policy.quota("a", "acme/a", limit("output_tokens", "day", 10**6, guaranteed=500, lend=200))
    policy.quota("b", "acme/b", limit("requests", "day", 10**6))
    policy.prices(("m", 0, 10, 1, 40))
    policy.reservation("r", "acme/b", input_per_minute=60_000, output_per_minute=6_000)
    return policy.load()


PROGRAM = limited()
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "ask", "settle", "cancel", "remember", "wait"]),
        st.sampled_from(["acme", "acme/a", "acme/b"]),
        st.integers(0, 900),
    ),
    max_size=40,
)


def fresh(now: int) -> State:
    return new_state(PROGRAM, route_salt="s", seed=1, now=now)


def asked(number: int, tenant: str, now: int) -> Request:
    return Request(
        request_id=f"r{number}",
        tenant=tenant,
        model="m",
        tier="standard",
        scale=False,
        prompt_tokens=100,
        max_tokens=50,
        blocks=(),
        arrived=now,
        stickiness="s",
    )


def counters(state: State) -> dict[MeterKey, int]:
    found = state.meters | state.shares
    return {key: found[key].used for key in found if key[3] in ("day", "month")}  # type: ignore[union-attr]


@settings(max_examples=80, deadline=None)
@given(STEPS)
def test_a_kill_at_any_moment_leaves_exactly_what_was_used(steps):
    state, now = fresh(START), START
    in_flight: list[Dispatch] = []
    waiting: list[str] = []
    known: dict[MeterKey, Remembered] = {}
    since: list[Used] = []
    for number, (what, tenant, amount) in enumerate(steps):
        if what == "ask":
            admit(PROGRAM, state, asked(number, tenant, now), now)
            sent = dispatch(PROGRAM, state, "p", now)
            in_flight += sent
            waiting = [one for one in (*waiting, f"r{number}") if one in state.tickets]
        elif what == "settle" and in_flight:
            one = in_flight.pop(amount % len(in_flight))
            usage = Usage(amount, 10, amount // 9, amount // 30, amount // 50)
            charge = settle(PROGRAM, state, one, usage, "completed", now)
            request = one.request
            by_lane = charge.reservation is not None
            used = Used(request.tenant, "m", "standard", by_lane, usage, charge.spend_nano, one.sent_at, now)
            since.append(used)
        elif what == "cancel" and waiting:
            cancel(PROGRAM, state, waiting.pop(), now)
        elif what == "remember":
            known |= {one.key: one for one in remember(state, now)}
            since = []
        else:
            now += amount * SECOND
    again = fresh(now)
    restore(again, known.values(), now)
    recount(again, since, now)
    for one in list(in_flight):  # the killed gateway's open requests are nobody's
        settle(PROGRAM, state, one, Usage(0, 0, 0), "aborted", now)
    expected = counters(state)
    open_requests = {("quota", "top", "requests", "day"), ("quota", "b", "requests", "day")}
    for key, value in counters(again).items():
        if key[0] != "quota":
            continue
        before = expected.get(key, 0)
        if key in open_requests:  # a request aborted at nothing is still one request
            assert value <= before <= value + len(in_flight)
        else:
            assert value == before, key
    for key, value in expected.items():
        assert key in counters(again) or not value or key in open_requests or key[0] != "quota"


def test_a_rate_by_the_hour_drains_while_nobody_serves():
    program = one_pool().quota("q", "acme", limit("requests", "1h", 60)).load()
    state = new_state(program, route_salt="s", seed=1, now=START)
    for number in range(60):
        assert admit(program, state, asked(number, "acme", START), START).code is None
    for sent in dispatch(program, state, "p", START):
        settle(program, state, sent, Usage(1, 0, 1), "completed", START)
    known = remember(state, START)
    later = START + 10 * MINUTE
    again = new_state(program, route_salt="s", seed=1, now=later)
    assert restore(again, known, later) == 1
    assert again.meters["quota", "q", "requests", "1h"].remaining(later) == 10


def test_a_day_that_is_over_is_forgotten_and_so_is_a_limit_that_is_gone():
    program = one_pool().quota("q", "acme", limit("requests", "day", 5), limit("spend", "month", 9)).load()
    state = new_state(program, route_salt="s", seed=1, now=START)
    admit(program, state, asked(1, "acme", START), START)
    (sent,) = dispatch(program, state, "p", START)
    settle(program, state, sent, Usage(1, 0, 1), "completed", START)
    known = remember(state, START)
    assert not remember(state, START), "nothing was used since"
    tomorrow = new_state(program, route_salt="s", seed=1, now=START + DAY)
    restore(tomorrow, known, START + DAY)
    assert tomorrow.meters["quota", "q", "requests", "day"].remaining(START + DAY) == 5
    other = new_state(one_pool().load(), route_salt="s", seed=1, now=START)
    assert restore(other, known, START) == 0
    gone = Used("nobody", "m", "standard", False, Usage(1, 0, 1), 1, START, START)
    assert recount(other, [gone], START) == 0
