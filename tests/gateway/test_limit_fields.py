"""The header lines that tell what limits leave, to the letter."""

from __future__ import annotations

from coordination.scheduling import Headroom
from coordination.scheduling.values import LimitView
from gateway.limit_fields import limit_fields

MINUTE = 60_000_000


def test_nothing_is_said_where_nothing_limits():
    assert limit_fields(Headroom(None, None)) == b""


def test_both_dimensions_in_both_notations():
    room = Headroom(LimitView(3000, 812, 1_500_000, MINUTE), LimitView(2_000_000, 0, 59_000_001, 60 * MINUTE))
    assert limit_fields(room).decode().split("\r\n") == [
        "x-ratelimit-limit-requests: 3000",
        "x-ratelimit-limit-tokens: 2000000",
        'ratelimit-policy: "requests";q=3000;w=60, "tokens";q=2000000;qu="tokens";w=3600',
        "x-ratelimit-remaining-requests: 812",
        "x-ratelimit-reset-requests: 1500ms",
        "x-ratelimit-remaining-tokens: 0",
        "x-ratelimit-reset-tokens: 59000ms",
        'ratelimit: "requests";r=812;t=2, "tokens";r=0;t=60',
        "",
    ]


def test_one_dimension_alone():
    told = limit_fields(Headroom(None, LimitView(100, -5, 1, 24 * 60 * MINUTE))).decode()
    assert told.split("\r\n") == [
        "x-ratelimit-limit-tokens: 100",
        'ratelimit-policy: "tokens";q=100;qu="tokens";w=86400',
        "x-ratelimit-remaining-tokens: 0",
        "x-ratelimit-reset-tokens: 0ms",
        'ratelimit: "tokens";r=0;t=1',
        "",
    ]
    only_requests = limit_fields(Headroom(LimitView(7, 7, 0, MINUTE), None))
    assert b'ratelimit: "requests";r=7;t=0\r\n' in only_requests
