"""Limits that tenants share (R9): against a model that recounts everything, and by what is promised."""

from __future__ import annotations

from fractions import Fraction
from itertools import count
from typing import NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from coordination.program.guarantees import pledges
from coordination.program.records import LimitRecord, QuotaRecord
from coordination.scheduling import (
    Decision,
    Request,
    State,
    Usage,
    activate,
    admit,
    cancel,
    dispatch,
    headroom,
    levels,
    new_state,
    settle,
)
from coordination.scheduling.limits import MeterKey
from tests.support.programs import MINUTE, SECOND, START, PolicyBuilder, a_policy, limit

NODES = ("acme", "acme/a", "acme/b", "acme/a/x", "acme/a/y")
IDS = count()


class Part(NamedTuple):
    limit: int
    guaranteed: int | None = None
    lend: int | None = None
    borrow: int | None = None


Tree = dict[str, Part]


def written(tree: Tree, per: str = "1m") -> PolicyBuilder:
    policy = a_policy().model(context_window=10**9).pool().tier(max_depth=10**6).route()
    for name in NODES:
        policy.tenant(name)
    for name, part in tree.items():
        more = {key: value for key, value in part._asdict().items() if key != "limit" and value is not None}
        policy.quota(name.replace("/", "-"), name, limit("input_tokens", per, part.limit, **more))
    return policy


def state_of(tree: Tree, per: str = "1m") -> State:
    return new_state(written(tree, per).load(), route_salt="salt", seed=1, now=START)


def ask(state: State, tenant: str, amount: int, now: int = START) -> Decision:
    request = Request(
        request_id=f"lending{next(IDS)}",
        tenant=tenant,
        model="m",
        tier="standard",
        scale=False,
        prompt_tokens=amount,
        max_tokens=1,
        blocks=(),
        arrived=now,
        stickiness="s",
    )
    return admit(state.program, state, request, now)


def let_in(state: State, tenant: str, amount: int, now: int = START) -> bool:
    return ask(state, tenant, amount, now).code is None


# A model in the words of R9 that keeps no levels: every answer is counted anew from all that was let in.


class Bucket:
    """``size`` at once, ``size`` a minute."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.taken: list[tuple[int, int]] = []

    def level(self, now: int) -> Fraction:
        level, at = Fraction(0), 0
        for when, amount in self.taken:
            level = max(Fraction(0), level - Fraction(self.size * (when - at), MINUTE)) + amount
            at = when
        return max(Fraction(0), level - Fraction(self.size * (now - at), MINUTE))

    def has(self, amount: int, now: int) -> bool:
        return bool(self.size) and self.level(now) + min(amount, self.size) <= self.size

    def free(self, now: int) -> int:
        return max(0, int((self.size - self.level(now)) // 1))


class Model:
    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.parent = {name: self._above(name) for name in tree}
        self.children = {n: [c for c in tree if self.parent[c] == n] for n in tree}
        self.shares = any(part.guaranteed and self.parent[name] for name, part in tree.items())
        self.ceilings = {name: Bucket(self.ceiling(name)) for name in tree}
        self.pools = {name: Bucket(self.pool(name)) for name in tree}
        self.kept = {name: Bucket(self.pool(name) - self.lent(name)) for name in tree}
        self.through = {
            name: Bucket(max(0, self.ceiling(name) - self.has(name)))
            for name in tree
            if self.parent[name] and sum(self.has(c) - self.lent(c) for c in self.children[name])
        }

    def _above(self, name: str) -> str | None:
        parts = name.split("/")
        return next(
            (up for i in range(len(parts) - 1, 0, -1) if (up := "/".join(parts[:i])) in self.tree), None
        )

    def ceiling(self, name: str) -> int:
        part = self.tree[name]
        if part.guaranteed is None or part.borrow is None:
            return part.limit
        return min(part.limit, part.guaranteed + part.borrow)

    def has(self, name: str) -> int:
        if self.parent[name] is None:
            return self.ceiling(name)
        own = self.tree[name].guaranteed
        return sum(map(self.has, self.children[name])) if own is None else own

    def lent(self, name: str) -> int:
        if self.parent[name] is None:
            return 0
        if self.tree[name].guaranteed is None:
            return sum(map(self.lent, self.children[name]))
        return min(self.tree[name].lend or 0, self.pool(name))

    def pool(self, name: str) -> int:
        return max(0, self.has(name) - sum(self.has(c) - self.lent(c) for c in self.children[name]))

    def asks(self, tenant: str, amount: int, now: int) -> bool:
        path = [n for n in reversed(NODES) if n in self.tree and f"{tenant}/".startswith(f"{n}/")]
        path.sort(key=len, reverse=True)
        if not all(self.ceilings[name].has(amount, now) for name in path):
            return False
        source = None
        if self.shares and path:
            passed: list[str] = []
            for name in path:
                if self.pools[name].has(amount, now) and all(
                    self.through[p].has(amount, now) for p in passed
                ):
                    source = name
                    break
                passed += [name] if name in self.through else []
            if source is None:
                return False
            for name in passed:
                self.through[name].taken.append((now, amount))
            self._draw(source, amount, now)
        for name in path:
            self.ceilings[name].taken.append((now, amount))
        return True

    def _draw(self, name: str, amount: int, now: int) -> None:
        self.pools[name].taken.append((now, amount))
        above = self.parent[name] or ""
        own = min(amount, self.kept[name].free(now))
        self.kept[name].taken.append((now, own))
        if not above or not amount - own:
            return
        while not self.pools[above].size and self.parent[above]:  # it has nothing: its parent gives
            above = self.parent[above] or ""
        self._draw(above, amount - own, now)


AMOUNT = st.integers(0, 12)
PARTS = st.builds(Part, st.integers(0, 30), *[st.none() | AMOUNT] * 3)
TREES = st.fixed_dictionaries({"acme": PARTS}, optional=dict.fromkeys(NODES[1:], PARTS))
ASKS = st.lists(
    st.tuples(
        st.sampled_from(NODES), st.integers(1, 9), st.sampled_from([0, 1, 5, 20, 61]).map(SECOND.__mul__)
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(TREES, ASKS)
def test_every_answer_is_that_of_a_model_that_recounts_everything(tree, asks):
    state, model, now = state_of(tree), Model(tree), START
    for tenant, amount, gap in asks:
        now += gap
        assert let_in(state, tenant, amount, now) == model.asks(tenant, amount, now), (tenant, amount)


@st.composite
def sound_trees(draw: st.DrawFn, lending: bool) -> Tree:
    """As CAP208 to CAP210 let them through: what is guaranteed adds up at every level."""
    tree = {"acme": Part(draw(st.integers(1, 60)))}
    has = {"acme": tree["acme"].limit}
    for name in NODES[1:]:
        above = name.rpartition("/")[0]
        guaranteed = draw(st.integers(0, has[above]))
        has[above] -= guaranteed
        has[name] = guaranteed
        beyond = draw(st.integers(0, 20))
        lend = draw(st.integers(0, guaranteed)) if lending else None
        tree[name] = Part(guaranteed + beyond, guaranteed, lend, draw(st.none() | st.integers(0, beyond)))
    return tree


@settings(max_examples=40, deadline=None)
@given(sound_trees(lending=True), ASKS)
def test_no_ceiling_ever_admits_more_than_its_burst_and_its_rate(tree, asks):
    state, model, now = state_of(tree), Model(tree), START
    passed: list[tuple[int, str, int]] = []
    for tenant, amount, gap in asks:
        now += gap
        if let_in(state, tenant, amount, now):
            passed.append((now, tenant, amount))
    for name in tree:
        most = model.ceiling(name)
        mine = [(at, n) for at, tenant, n in passed if f"{tenant}/".startswith(f"{name}/") and n <= most]
        for first, (since, _) in enumerate(mine):
            total = 0
            for at, amount in mine[first:]:
                total += amount
                assert total * MINUTE <= most * MINUTE + most * (at - since), name


LEAVES = ("acme/b", "acme/a/x", "acme/a/y")


@settings(max_examples=60, deadline=None)
@given(sound_trees(lending=False), ASKS)
def test_what_is_guaranteed_and_not_lent_is_there_whatever_the_others_do(tree, asks):
    """And no ceiling above is in the way: all that others may use leaves it free.

    What no bucket on its way could ever hold passes when one is empty (R6), and leaves a debt to all.
    """
    state, model, now = state_of(tree), Model(tree), START
    own = {name: Bucket(tree[name].guaranteed or 0) for name in LEAVES}
    for tenant, amount, gap in asks:
        now += gap
        path = [name for name in tree if f"{tenant}/".startswith(f"{name}/")]
        buckets = [
            one[name].size
            for one in (model.ceilings, model.pools, model.through)
            for name in path
            if name in one
        ]
        if any(0 < size < amount for size in buckets):
            continue
        ceiling = model.ceilings[tenant]  # what it has borrowed itself counts there too
        honoured = tenant in own and own[tenant].has(amount, now) and ceiling.has(amount, now)
        decision = ask(state, tenant, amount, now)
        if honoured:
            assert decision.code is None, (tenant, amount, decision.steps[-1])
            own[tenant].taken.append((now, amount))
        if decision.code is None:
            ceiling.taken.append((now, amount))


@settings(max_examples=40, deadline=None)
@given(sound_trees(lending=True), ASKS)
def test_who_lends_takes_it_back_as_long_as_no_ceiling_is_reached(tree, asks):
    state, now = state_of(tree), START
    model = Model(tree)
    own = {name: Bucket(tree[name].guaranteed or 0) for name in LEAVES}
    for tenant, amount, gap in asks:
        now += gap
        path = [name for name in tree if f"{tenant}/".startswith(f"{name}/")]
        ceilings = all(model.ceilings[name].has(amount, now) for name in path)
        honoured = ceilings and tenant in own and own[tenant].has(amount, now)
        passed = let_in(state, tenant, amount, now)
        if honoured:
            assert passed, (tenant, amount)
            own[tenant].taken.append((now, amount))
        if passed:
            for name in path:
                model.ceilings[name].taken.append((now, amount))


@settings(max_examples=40, deadline=None)
@given(TREES, ASKS, st.tuples(st.sampled_from(NODES), st.integers(1, 9)))
def test_a_request_taken_back_at_once_leaves_no_trace(tree, asks, one):
    state, now = state_of(tree), START
    for tenant, amount, gap in asks:
        now += gap
        ask(state, tenant, amount, now)

    def seen() -> dict[MeterKey, int]:
        return {key: m.remaining(now) for key, m in (state.meters | state.shares).items()}

    before = seen()
    decision = ask(state, one[0], one[1], now)
    if decision.code is None:
        assert cancel(state.program, state, decision.request.request_id, now)
    assert {key: left for key, left in seen().items() if key in before} == before


def usual() -> Tree:
    """``a`` lends half of what it has; ``b`` has nothing of its own."""
    return {
        "acme": Part(100),
        "acme/a": Part(100, guaranteed=40, lend=20),
        "acme/b": Part(100),
    }


def rules(decision: Decision) -> list[str]:
    return [step.says for step in decision.steps if step.rule == "R9"][-1:]


def test_others_may_use_all_but_what_is_kept_and_then_are_told_so():
    state = state_of(usual())
    assert let_in(state, "acme/b", 80)
    refused = ask(state, "acme/b", 1)
    assert refused.code == "rate_limit_exceeded"
    assert "nothing to borrow" in refused.message
    assert refused.steps[-1].facts["quota"] == "acme"
    assert refused.retry_after_us is not None
    assert MINUTE // 80 <= refused.retry_after_us <= MINUTE // 80 * 3 // 2 + 1
    assert let_in(state, "acme/b", 1, START + refused.retry_after_us)


def test_the_lender_takes_back_into_debt_and_borrowers_wait_for_it():
    state = state_of(usual() | {"acme": Part(200), "acme/b": Part(200, guaranteed=60, lend=60)})
    assert let_in(state, "acme/b", 180)
    taken = ask(state, "acme/a", 20)
    assert rules(taken) == ["within the part of quota acme-a: input_tokens per 1m"]
    assert not let_in(state, "acme/a", 21), "its part is 40"
    assert not let_in(state, "acme/b", 1)


def test_borrowing_is_explained_and_the_nearest_with_room_lends():
    tree = {
        "acme": Part(100),
        "acme/a": Part(60, guaranteed=50),
        "acme/a/x": Part(60, guaranteed=10),
        "acme/a/y": Part(60, guaranteed=20, lend=20),
    }
    state = state_of(tree)
    assert rules(ask(state, "acme/a/x", 10)) == ["within the part of quota acme-a-x: input_tokens per 1m"]
    near = ask(state, "acme/a/x", 40)
    assert rules(near) == ["borrows input_tokens per 1m of quota acme-a: the own part is used"]
    far = ask(state, "acme/a/x", 10)
    assert rules(far) == ["borrows input_tokens per 1m of quota acme: the own part is used"]
    assert ask(state, "acme/a/x", 1).code == "rate_limit_exceeded"


def test_settling_returns_what_was_borrowed_first():
    state = state_of(usual())
    asked = ask(state, "acme/a", 40)
    assert not let_in(state, "acme/b", 61)
    (sent,) = dispatch(state.program, state, "p", START)
    settle(state.program, state, sent, Usage(10, 0, 1), "completed", START)
    assert asked.verdict == "admit"
    assert let_in(state, "acme/b", 80), "what it kept was used last and is used still"
    assert let_in(state, "acme/a", 10)


def test_clients_and_operators_are_told_what_may_be_borrowed_too():
    state = state_of(usual())
    ask(state, "acme/b", 70)
    seen = headroom(state.program, state, ask(state, "acme/a", 15), START)
    assert seen.tokens is not None
    assert (seen.tokens.limit, seen.tokens.remaining) == (100, 15)
    by_quota = {one.quota: one for one in levels(state, "acme", START).limits}
    assert (by_quota["acme-a"].guaranteed, by_quota["acme-a"].remaining) == (40, 25)
    assert (by_quota["acme-b"].guaranteed, by_quota["acme-b"].remaining) == (0, 10)


def test_a_calendar_limit_is_shared_until_midnight():
    state = state_of(usual(), "day")
    assert let_in(state, "acme/b", 80)
    assert not let_in(state, "acme/b", 1, START + 3600 * SECOND)
    assert let_in(state, "acme/b", 80, START + 24 * 3600 * SECOND)


def test_a_new_policy_keeps_levels_and_gives_parts_their_new_size():
    state = state_of(usual())
    assert let_in(state, "acme/b", 80)
    larger = usual() | {"acme/a": Part(100, guaranteed=40, lend=30)}
    activate(state, written(larger).load(), START)
    assert let_in(state, "acme/b", 10)
    assert not let_in(state, "acme/b", 1)


def quota(name: str, tenant: str, *limits: LimitRecord, tiers: tuple[str, ...] = ()) -> QuotaRecord:
    return QuotaRecord(
        name=name, tenant=tenant, tiers=tiers, models=(), weight_ppm=10**6, limits=limits, concurrency=None
    )


def test_only_limits_alike_in_scope_and_period_share():
    kept = limit("requests", "1m", 10, guaranteed=5)
    assert not pledges([quota("a", "acme/a", kept), quota("top", "acme", limit("requests", "1h", 100))])
    assert not pledges(
        [quota("a", "acme/a", kept, tiers=("flex",)), quota("top", "acme", limit("requests", "1m", 9))]
    )
    assert not pledges([quota("top", "acme", kept)]), "nobody above it keeps anything for it"
    found = pledges([quota("a", "acme/a/x", kept), quota("top", "acme", limit("requests", "1m", 9))])
    assert {key: (one.pool, one.kept) for key, one in found.items()} == {
        ("a", "requests", "1m"): (5, 5),
        ("top", "requests", "1m"): (4, 4),
    }


def test_limits_in_shadow_count_what_they_would_have_refused_and_refuse_nothing():
    policy = a_policy().model().pool().tier().route().tenant()
    policy.quota("q", "acme", limit("requests", "1m", 3, shadow=True), limit("requests", "1h", 5))
    state = new_state(policy.load(), route_salt="salt", seed=1, now=START)
    decisions = [ask(state, "acme", 10) for _ in range(6)]
    assert [one.code for one in decisions] == [None] * 5 + ["rate_limit_exceeded"]
    assert [one.shadowed for one in decisions] == [()] * 3 + [("q: requests per 1m",)] * 2 + [()]
    assert "in shadow" in next(s.says for s in decisions[3].steps if s.rule == "R9" and "shadow" in s.says)
    assert state.shadowed == {("quota", "q", "requests", "1m"): 2}
    told = {one.per: one for one in levels(state, "acme", START).limits}
    assert (told["1m"].shadow, told["1m"].would_refuse, told["1m"].used) == (True, 2, 3)
    for sent in dispatch(state.program, state, "p", START):
        settle(state.program, state, sent, Usage(1, 0, 1), "completed", START)
    seen = headroom(state.program, state, decisions[0], START)
    assert seen.requests is not None
    assert seen.requests.limit == 5, "clients hear nothing of what is on trial"
