"""What does an answer of the DNS change, and what does a failure?"""

from __future__ import annotations

import pytest

from coordination.engines import Change, Resolved, Unresolved, failing, resolved
from coordination.engines.membership import MOST_MEMBERS

A, B = "http://10.0.0.1:8000", "http://10.0.0.2:8000"


def test_addresses_become_base_urls_each_once_in_one_order():
    found, change = resolved(Resolved(), ["10.0.0.2", "10.0.0.1", "10.0.0.2"], 8000, 5)
    assert found == Resolved((A, B), at=5)
    assert change == Change(added=(A, B))
    again, none = resolved(found, ["10.0.0.1", "10.0.0.2"], 8000, 9)
    assert (again.members, again.at) == (found.members, 9)
    assert not none


def test_who_comes_joins_at_once_and_who_is_missing_twice_has_left():
    before, _ = resolved(Resolved(), ["10.0.0.1"], 8000, 1)
    after, change = resolved(before, ["10.0.0.2"], 8000, 2)
    assert (after.members, after.leaving, change) == ((A, B), (A,), Change(added=(B,)))
    gone, change = resolved(after, ["10.0.0.2"], 8000, 3)
    assert (gone.members, gone.leaving, change) == ((B,), (), Change(removed=(A,)))


def test_a_server_that_names_half_of_them_at_a_time_loses_none():
    now, _ = resolved(Resolved(), ["10.0.0.1", "10.0.0.2"], 8000, 0)
    for turn in range(6):
        now, change = resolved(now, [f"10.0.0.{1 + turn % 2}"], 8000, turn)
        assert (now.members, bool(change)) == ((A, B), False)


def test_a_failure_between_two_answers_is_neither():
    now, _ = resolved(Resolved(), ["10.0.0.1", "10.0.0.2"], 8000, 0)
    now, _ = resolved(now, ["10.0.0.1"], 8000, 1)
    now = failing(now, "timeout", 2)
    assert now.members == (A, B)
    now, change = resolved(now, ["10.0.0.1"], 8000, 3)
    assert change == Change(removed=(B,))


def test_an_address_of_version_6_is_bracketed():
    found, _ = resolved(Resolved(), ["fd00::1"], 80, 0)
    assert found.members == ("http://[fd00::1]:80",)


@pytest.mark.parametrize(
    ("addresses", "why"),
    [
        ([], "no addresses"),
        (["169.254.169.254"], "169.254.169.254 cannot be a replica"),
        (["::ffff:169.254.169.254"], "cannot be a replica"),
        (["fe80::1%eth0"], "cannot be a replica"),
        (["0.0.0.0"], "cannot be a replica"),  # noqa: S104 - an answer, nothing is bound
        (["::"], "cannot be a replica"),
        (["224.0.0.1"], "cannot be a replica"),
        (["nonsense"], "cannot be a replica"),
        ([f"10.0.{n >> 8}.{n & 255}" for n in range(MOST_MEMBERS + 1)], "more than"),
    ],
)
def test_an_answer_without_a_replica_is_none(addresses, why):
    with pytest.raises(Unresolved, match=why):
        resolved(Resolved((A,), at=1), addresses, 8000, 2)


def test_one_address_that_cannot_be_leaves_the_others():
    found, _ = resolved(Resolved(), ["169.254.1.1", "10.0.0.1"], 8000, 0)
    assert found.members == (A,)


def test_a_failure_keeps_the_last_answer_and_says_since_when():
    answered, _ = resolved(Resolved(), ["10.0.0.1"], 8000, 1)
    first = failing(answered, "no such name", 2)
    second = failing(first, "timeout", 3)
    assert second == Resolved((A,), at=1, failing_since=2, problem="timeout")
    mended, change = resolved(second, ["10.0.0.1"], 8000, 4)
    assert mended == Resolved((A,), at=4)
    assert not change
