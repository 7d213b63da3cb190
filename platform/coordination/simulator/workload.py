"""Who sends what, and when? A trace's requests, given to the tenants and tiers of a policy.

A recording names who sent each request. The public traces name no tenant and no tier, so a ``Mix``
declares them: each conversation belongs to one client, drawn by its hash, so that all its turns do. The
same trace, mix, speed and seed give the same arrivals, whatever the policy under test: that is what makes
two simulations comparable.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

import msgspec
import xxhash

from coordination.program.index import Program
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


@dataclass(frozen=True, slots=True)
class Client:
    """A part of the traffic."""

    tenant: str
    service_tier: str | None = None
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Mix:
    """To whom the conversations of a trace belong, by weight, and which model they ask for."""

    clients: tuple[Client, ...]
    model: str

    def __post_init__(self) -> None:
        if not any(client.weight > 0 for client in self.clients):
            raise ValueError("a mix needs a client of a weight above 0")


def even_mix(program: Program, model: str | None = None) -> Mix:
    """Every tenant alike, each in its default tier, asking for the first model the policy knows."""
    served = model or next(iter(program.models.values())).served_name
    return Mix(tuple(Client(name) for name in program.tenants), served)


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
