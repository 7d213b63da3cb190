"""When is a replica set aside, and when may it try again? (R21)"""

from __future__ import annotations

import pytest

from coordination.program.records import MILLION
from coordination.scheduling.health import FIRST_EJECTION, LONGEST_EJECTION, Health


@pytest.mark.parametrize(
    ("failures", "state"),
    [
        (["connect"], "healthy"),
        (["connect", "connect"], "ejected"),
        (["unreachable", "unreachable"], "ejected"),
        (["status_503", "timeout"], "healthy"),
        (["status_503", "timeout", "reset"], "ejected"),
        (["connect", "reset"], "ejected"),
    ],
)
def test_failures_in_a_row_eject(failures, state):
    health = Health()
    for reason in failures:
        health.failed(reason, 0)
    assert health.state == state


def test_a_success_between_failures_forgives_them():
    health = Health()
    for _ in range(5):
        health.failed("reset", 0)
        health.failed("reset", 0)
        health.succeeded()
    assert health.state == "healthy"


def test_one_request_at_a_time_tries_and_each_failure_doubles_the_wait_up_to_a_minute():
    health = Health()
    for _ in range(3):
        health.failed("reset", 0)
    now, waits = 0, []
    for _ in range(7):
        assert not health.usable(health.until - 1)
        waits.append(health.until - now)
        now = health.until
        assert health.usable(now)
        health.sent(now)
        assert not health.usable(now), "one is enough to find out"
        health.failed("reset", now)
    assert waits == [min(LONGEST_EJECTION, FIRST_EJECTION << n) for n in range(6)] + [LONGEST_EJECTION]
    now = health.until
    health.sent(now)
    health.succeeded()
    assert (health.state, health.ejections) == ("healthy", 0)


def test_who_was_out_of_reach_and_answers_again_is_tried_at_once():
    health = Health()
    health.failed("connect", 0)
    health.failed("unreachable", 0)
    health.seen(MILLION)
    assert health.usable(MILLION)


def test_who_answers_questions_and_fails_requests_waits_for_its_time():
    """Its metrics would heal it each second, and a request each second would be spent on it."""
    health = Health()
    for _ in range(3):
        health.failed("reset", 0)
    health.seen(MILLION)
    assert not health.usable(MILLION)
    assert health.usable(FIRST_EJECTION)
