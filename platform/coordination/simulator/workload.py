"""Who sends what, and when? A trace's requests, given to the tenants and tiers of a policy.

A recording names who sent each request. The public traces name no tenant and no tier, so a ``Mix``
declares them: each conversation belongs to one client, drawn by its hash, so that all its turns do. The
same trace, mix, speed and seed give the same arrivals, whatever the policy under test: that is what makes
two simulations comparable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate

import msgspec
import xxhash

from coordination.simulator.settings import Mix
from coordination.traces import BLOCK_TOKENS, Sender, TraceRequest

_hash: Callable[[bytes, int], int] = xxhash.xxh3_64_intdigest


class Arrival(msgspec.Struct):
    """One request before anybody has looked at it."""

    at_us: int
    """After the start of the simulation."""
    tenant: str
    service_tier: str | None
    """What the client asks for; None is its default tier."""
    model: str
    """The client's name of it."""
    prompt_tokens: int
    output_tokens: int
    blocks: tuple[int, ...]
    """Hash ids of the prompt's whole 512-token blocks."""
    session: int
    max_tokens: int | None = None
    run: str = ""
    """Of an agent whose step it is."""
    deadline_us: int | None = None
    """Of its own, after its arrival."""


def from_trace(requests: Iterable[TraceRequest], mix: Mix, *, speed: float, seed: int) -> Iterator[Arrival]:
    """A trace's requests as arrivals, ``speed`` times as fast as recorded."""
    clients = mix.clients
    bounds = list(accumulate(client.weight for client in clients))
    total = bounds[-1]
    for request in requests:
        if request.sender is not None:
            yield _as_sent(request, request.sender, speed)
            continue
        session = conversation(request)
        drawn = _hash(b"%d" % session, seed) % total
        client = clients[bisect_right(bounds, drawn)]
        prompt = request.input_tokens
        whole = prompt // BLOCK_TOKENS
        blocks = request.blocks
        yield Arrival(
            int(request.arrival_us / speed),
            client.tenant,
            client.service_tier,
            mix.model,
            prompt,
            request.output_tokens,
            blocks if len(blocks) == whole else blocks[:whole],
            session,
        )


def _as_sent(request: TraceRequest, sender: Sender, speed: float) -> Arrival:
    session = sender.session
    return Arrival(
        int(request.arrival_us / speed),
        sender.tenant,
        sender.service_tier,
        sender.model,
        request.input_tokens,
        request.output_tokens,
        request.blocks[: request.input_tokens // BLOCK_TOKENS],
        conversation(request) if session is None else _hash(session.encode(), 0),
        sender.max_tokens,
        deadline_us=sender.deadline_us,
    )


def conversation(request: TraceRequest) -> int:
    """What tells one conversation from another: the second block (the first is a system prompt that
    nearly every request shares), else the first, else the line."""
    blocks = request.blocks
    return blocks[1] if len(blocks) > 1 else blocks[0] if blocks else -request.line
