"""What does the log hold of an attempt? That it began, what has passed, and how it ended (``Event``)."""

from __future__ import annotations

import msgspec

from coordination.wire.usage import Event


class Begun(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An attempt was about to be sent. Written first, so that no replica works for nobody's account."""

    request_id: str
    attempt: int
    tenant: str
    key_id: str
    model: str
    tier: str
    pool: str
    replica: str
    uncached_input: int
    """As estimated at admission."""
    cached_input: int
    bundle: str
    at: int
    """Policy clock, microseconds."""


class Passed(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Its first byte came (``output`` 0), or 256 more output tokens did."""

    request_id: str
    attempt: int
    output: int
    at: int


class Key(msgspec.Struct, frozen=True):
    """What of an event names the attempt it ends."""

    request_id: str
    attempt: int


decode_begun = msgspec.json.Decoder(Begun).decode
decode_passed = msgspec.json.Decoder(Passed).decode
decode_key = msgspec.json.Decoder(Key).decode
encode = msgspec.json.Encoder().encode


def interrupted(begun: Begun, last: Passed | None) -> Event:
    """How an attempt ends that was open when its gateway was killed: with what was last written of it.

    The same records always give the same event, so that telling of it twice is harmless. Before the
    first byte nothing is known to have been done, and nothing is charged.
    """
    return Event(
        request_id=begun.request_id,
        attempt=begun.attempt,
        kind="interrupted",
        outcome="interrupted",
        counted_by="gateway",
        tenant=begun.tenant,
        key_id=begun.key_id,
        model=begun.model,
        tier=begun.tier,
        pool=begun.pool,
        replica=begun.replica,
        reservation=None,
        uncached_input=begun.uncached_input if last else 0,
        cached_input=begun.cached_input if last else 0,
        cache_write=0,
        output=last.output if last else 0,
        reasoning=0,
        started_at=begun.at,
        ended_at=last.at if last else begun.at,
        bundle=begun.bundle,
        spend_nano=None,
    )
