"""What administrators set for their teams stands where the policy delegates it, and nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from coordination.program.guarantees import pledges
from coordination.program.records import MILLION, ScheduledRecord
from coordination.program.teams import NOTHING_SET
from tests.support.programs import START, limit, one_pool

BOTH = ("weight", "limits")


def a_tree(*limits, delegates=BOTH, team=()):
    """Tenant a with teams a/x and a/y, and a/x/deep below one of them."""
    policy = one_pool("a", "a/x", "a/x/deep", "a/y", "b", "b/z")
    return policy.quota("qa", "a", *limits, delegates=delegates).quota("qx", "a/x", *team)


def codes(program):
    return [(one.tenant, one.what, one.code) for one in program.teams.refused]


def in_force(program, quota, now=START):
    return {(one.of, one.per): one.limit for one in program.segment_at(now).limits_of(program.quotas[quota])}


def per_minute(amount, of="requests"):
    return {of: {"1m": amount}}


@pytest.mark.parametrize(
    ("delegates", "refused"),
    [
        (BOTH, []),
        (("weight",), [("a/x", "requests per 1m", "beyond_delegation")]),
        (("limits", "keys"), [("a/x", "weight", "beyond_delegation")]),
        (
            (),
            [("a/x", "weight", "beyond_delegation"), ("a/x", "requests per 1m", "beyond_delegation")],
        ),
    ],
)
def test_each_right_is_asked_for_by_itself(delegates, refused):
    program = a_tree(limit("requests", "1m", 10), delegates=delegates).load()
    program.follow({"a/x": 3 * MILLION}, {"a/x": per_minute(5)})
    assert codes(program) == refused
    assert program.scope("a/x", "standard", "m").weights[-2] == (3 if "weight" in delegates else 1) * MILLION
    assert in_force(program, "qx") == ({("requests", "1m"): 5} if "limits" in delegates else {})


def test_a_tenant_s_right_is_over_those_below_it_and_not_over_itself():
    program = a_tree(limit("requests", "1m", 10)).load()
    program.follow(
        {"a": MILLION, "a/x/deep": MILLION, "b/z": MILLION, "b": 1, "nobody": 7}, {"a": per_minute(1)}
    )
    assert codes(program) == [
        ("a", "weight", "beyond_delegation"),
        ("a", "requests per 1m", "beyond_delegation"),
        ("b", "weight", "beyond_delegation"),
        ("b/z", "weight", "beyond_delegation"),
    ]


@pytest.mark.parametrize(
    ("above", "own", "amount", "code"),
    [
        ([limit("requests", "1m", 10)], [], 10, None),
        ([limit("requests", "1m", 10)], [], 11, "limit_above_parent"),
        ([limit("requests", "1m", 10)], [limit("requests", "1m", 4)], 10, None),
        ([], [limit("requests", "1m", 4)], 4, None),
        ([], [limit("requests", "1m", 4)], 5, "limit_above_policy"),
        ([], [], 2**53 - 1, None),
        ([limit("requests", "1h", 3)], [], 10, None),
        ([limit("requests", "1m", 3, shadow=True)], [], 10, None),
        (
            [limit("requests", "1m", 3, scheduled=(ScheduledRecord(intervals=((0, 9),), limit=12),))],
            [],
            12,
            None,
        ),
    ],
)
def test_a_limit_is_bounded_by_those_above_or_else_by_the_policy(above, own, amount, code):
    program = a_tree(*above, team=own).load()
    program.follow({}, {"a/x": per_minute(amount)})
    assert codes(program) == ([("a/x", "requests per 1m", code)] if code else [])
    written = own[0].limit if own else None
    assert in_force(program, "qx").get(("requests", "1m")) == (amount if code is None else written)


def test_what_stood_before_stays_when_what_follows_is_refused():
    program = a_tree(limit("requests", "1m", 10), team=[limit("requests", "1m", 4)]).load()
    assert program.follow({}, {"a/x": per_minute(7)})
    assert not program.follow({}, {"a/x": per_minute(70)})
    assert codes(program) == [("a/x", "requests per 1m", "limit_above_parent")]
    assert in_force(program, "qx") == {("requests", "1m"): 7}
    assert program.follow({}, {}), "taken back: the policy's own again"
    assert (in_force(program, "qx"), codes(program)) == ({("requests", "1m"): 4}, [])


@pytest.mark.parametrize(
    ("policy", "stands"),
    [
        (a_tree(limit("requests", "1m", 10)), 7),
        (a_tree(limit("requests", "1m", 6)), None),
        (a_tree(limit("requests", "1m", 10), delegates=()), None),
    ],
    ids=["it delegates too", "it has less", "it takes the right back"],
)
def test_under_another_policy_what_stood_before_is_looked_at_again(policy, stands):
    before = a_tree(limit("requests", "1m", 10)).load()
    before.follow({}, {"a/x": per_minute(7)})
    program = policy.load()
    program.follow({}, {"a/x": per_minute(70)}, before.teams)
    assert in_force(program, "qx").get(("requests", "1m")) == stands
    assert len(codes(program)) == 1


def test_a_limit_stands_on_the_quota_for_all_of_the_team_s_requests():
    policy = one_pool("a", "a/x").quota("qa", "a", delegates=BOTH)
    policy.quota("narrow", "a/x", limit("requests", "1m", 1), tiers=("standard",))
    policy.quota("second", "a/x", limit("requests", "1m", 9)).quota(
        "first", "a/x", limit("requests", "1h", 90)
    )
    program = policy.load()
    program.follow({}, {"a/x": {"requests": {"1m": 2}, "total_tokens": {"1m": 1000}}})
    assert in_force(program, "narrow") == {("requests", "1m"): 1}
    assert in_force(program, "second") == {("requests", "1m"): 2}
    assert in_force(program, "first") == {("requests", "1h"): 90, ("total_tokens", "1m"): 1000}
    assert program.overlay.set_by == {
        ("second", "requests", "1m"): "a",
        ("first", "total_tokens", "1m"): "a",
    }


def test_a_team_without_a_quota_gets_one_for_as_long_as_it_has_limits():
    policy = one_pool("a", "a/x").quota("qa", "a", delegates=BOTH).quota("a", "a")
    policy.quota("narrow", "a/x", tiers=("standard",), weight=5)
    program = policy.load()
    for _ in range(2):
        assert program.follow({}, {"a/x": per_minute(2)})
        scope = program.scope("a/x", "standard", "m")
        assert [quota.name for quota in scope.quotas] == ["a", "qa", "narrow", "a/x"]
        assert scope.weights[-1] == 5 * MILLION
        assert in_force(program, "a/x") == {("requests", "1m"): 2}
        assert program.follow({}, {})
        assert [quota.name for quota in program.scope("a/x", "standard", "m").quotas] == ["a", "qa", "narrow"]
        assert set(program.quotas) == {"a", "qa", "narrow"}


def test_a_change_in_store_for_a_limit_is_over_once_it_is_set():
    later = ScheduledRecord(intervals=((START + 5, None),), limit=99)
    program = a_tree(
        limit("requests", "1m", 500), team=[limit("requests", "1m", 4, scheduled=(later,))]
    ).load()
    assert in_force(program, "qx", START + 6) == {("requests", "1m"): 99}
    program.follow({}, {"a/x": per_minute(7)})
    assert in_force(program, "qx", START) == in_force(program, "qx", START + 6) == {("requests", "1m"): 7}


SIZES = st.integers(1, 40)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from(BOTH), unique=True),
    st.dictionaries(st.sampled_from(["a", "a/x", "a/x/deep", "a/y", "b", "b/z"]), SIZES),
    st.lists(st.dictionaries(st.sampled_from(["a", "a/x", "a/x/deep", "a/y", "b/z"]), SIZES), max_size=4),
)
def test_whatever_directories_say_nothing_stands_that_is_not_delegated(rights, written, directories):
    policy = one_pool("a", "a/x", "a/x/deep", "a/y", "b", "b/z")
    for name in ("a", "a/x", "a/x/deep", "a/y", "b", "b/z"):
        limits = [limit("requests", "1m", written[name])] if name in written else []
        policy.quota(
            f"q-{name.replace('/', '-')}", name, *limits, delegates=tuple(rights) if name == "a" else ()
        )
    program = policy.load()
    untouched = policy.load()
    for asked in directories:
        program.follow(
            {name: amount * MILLION for name, amount in asked.items()},
            {n: per_minute(a) for n, a in asked.items()},
        )
        for name, quota in program.quotas.items():
            had = in_force(untouched, name).get(("requests", "1m"))
            has = in_force(program, name).get(("requests", "1m"))
            below = quota.tenant.startswith("a/")
            if "limits" not in rights or not below:
                assert has == had
            elif has != had:
                above = [written[up] for up in program.tenants[quota.tenant].path[:-1] if up in written]
                assert has <= min(above, default=had if had is not None else has)
        for tenant in program.teams.weights:
            assert tenant.startswith("a/")
            assert "weight" in rights


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "a/x", "a/x/deep", "a/y", "b", "b/z"]),
        st.tuples(SIZES, st.none() | SIZES, st.none() | SIZES),
    ),
    st.dictionaries(st.sampled_from(["a/x", "a/x/deep", "a/y"]), SIZES),
)
def test_what_is_kept_for_whom_is_as_if_the_policy_had_said_so(written, asked):
    """Only trees that something was set in are looked at again: the rest must not be lost by that."""
    policy = one_pool("a", "a/x", "a/x/deep", "a/y", "b", "b/z")
    for name in ("a", "a/x", "a/x/deep", "a/y", "b", "b/z"):
        limits = []
        if name in written:
            size, kept, lent = written[name]
            limits.append(limit("requests", "1m", size, guaranteed=kept, lend=lent))
        policy.quota(f"q-{name.replace('/', '-')}", name, *limits, delegates=BOTH if name == "a" else ())
    program = policy.load()
    program.follow({}, {name: per_minute(amount) for name, amount in asked.items()})
    segment = program.segment_at(START)
    expected = pledges(
        [structs.replace(quota, limits=segment.limits_of(quota)) for quota in program.quotas.values()]
    )
    assert {key: told(one) for key, one in segment.pledges.items()} == {
        key: told(one) for key, one in expected.items()
    }


def told(pledge):
    return pledge and (
        pledge.tenant,
        pledge.guaranteed,
        pledge.pool,
        pledge.lent,
        pledge.through,
        told(pledge.parent),
    )


def test_nothing_set_is_nothing():
    program = a_tree().load()
    assert not program.follow({}, {})
    assert program.teams == NOTHING_SET
