"""Which header lines tell a client what its limits leave?

Twice: in OpenAI's names (``x-ratelimit-*``, which its clients read) and as the IETF's draft has it
(``RateLimit-Policy`` and ``RateLimit``, draft-ietf-httpapi-ratelimit-headers-10: q quota, w window in
seconds, r remaining, t seconds to the reset; tokens are a unit of their own, ``qu``).
"""

from __future__ import annotations

from functools import lru_cache

from coordination.scheduling import Headroom
from coordination.scheduling.values import LimitView


def limit_fields(room: Headroom) -> bytes:
    """Of the tightest limit of requests and the tightest of tokens; empty where nothing limits."""
    requests, tokens = room.requests, room.tokens
    if requests is None:
        return b"" if tokens is None else _one(b"tokens", tokens)
    if tokens is None:
        return _one(b"requests", requests)
    left, also_left = max(0, requests.remaining), max(0, tokens.remaining)
    return (
        b"%bx-ratelimit-remaining-requests: %d\r\nx-ratelimit-reset-requests: %dms\r\n"
        b"x-ratelimit-remaining-tokens: %d\r\nx-ratelimit-reset-tokens: %dms\r\n"
        b'ratelimit: "requests";r=%d;t=%d, "tokens";r=%d;t=%d\r\n'
        % (
            _both(requests.limit, requests.window_us, tokens.limit, tokens.window_us),
            left,
            requests.reset_us // 1000,
            also_left,
            tokens.reset_us // 1000,
            left,
            -(-requests.reset_us // 1_000_000),
            also_left,
            -(-tokens.reset_us // 1_000_000),
        )
    )


def _one(of: bytes, view: LimitView) -> bytes:
    left = max(0, view.remaining)
    return (
        b'%bx-ratelimit-remaining-%b: %d\r\nx-ratelimit-reset-%b: %dms\r\nratelimit: "%b";r=%d;t=%d\r\n'
        % (
            _alone(of, view.limit, view.window_us),
            of,
            left,
            of,
            view.reset_us // 1000,
            of,
            left,
            -(-view.reset_us // 1_000_000),
        )
    )


@lru_cache(maxsize=4096)
def _alone(of: bytes, limit: int, window_us: int) -> bytes:
    """What stays the same from answer to answer."""
    return b"x-ratelimit-limit-%b: %d\r\nratelimit-policy: %b\r\n" % (
        of,
        limit,
        _policy(of, limit, window_us),
    )


@lru_cache(maxsize=4096)
def _both(requests: int, window_us: int, tokens: int, tokens_window_us: int) -> bytes:
    return (
        b"x-ratelimit-limit-requests: %d\r\nx-ratelimit-limit-tokens: %d\r\nratelimit-policy: %b, %b\r\n"
        % (
            requests,
            tokens,
            _policy(b"requests", requests, window_us),
            _policy(b"tokens", tokens, tokens_window_us),
        )
    )


def _policy(of: bytes, limit: int, window_us: int) -> bytes:
    unit = b"" if of == b"requests" else b';qu="tokens"'
    return b'"%b";q=%d%b;w=%d' % (of, limit, unit, window_us // 1_000_000)
