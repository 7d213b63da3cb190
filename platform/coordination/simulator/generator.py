"""What if the traffic were like this? Sessions and agents of several clients, drawn from one seed.

Each client opens sessions at a mean rate, bursty or not; a session belongs to one of the client's families
(a shared system prompt, some more popular than others) and takes turns, each repeating the whole history
and adding to it. An agent is a session whose turns are steps: seconds apart, many, with tool results for
prompts. Arrivals are an open loop: a turn comes at its drawn instant whether or not the last was answered,
so both policies of a comparison see the same ones.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from heapq import heappop, heappush
from math import log1p
from typing import Annotated, Final

import msgspec

from coordination.simulator.workload import Arrival
from coordination.traces import BLOCK_TOKENS

MICROS: Final = 1_000_000
Positive = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
Count = Annotated[int, msgspec.Meta(ge=1, le=10_000_000)]


class WorkloadError(Exception):
    """A description of traffic that cannot be drawn from: what is wrong, and where."""


class Traffic(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One client's habits. Means are of geometric (whole) or exponential draws."""

    tenant: str
    service_tier: str | None = None
    sessions_per_second: Positive
    burstiness: Positive = 1.0
    """Coefficient of variation of the time between two sessions: 1 is Poisson, 3 comes in bursts."""
    families: Count = 1
    """System prompts its sessions choose from; the n-th is 1/n as popular as the first."""
    system_tokens: Count = 1024
    turns: Annotated[float, msgspec.Meta(ge=1, le=1e6)] = 4.0
    """Mean number of requests of a session."""
    pause_seconds: Positive = 10.0
    """Between two turns: a person's thought, or an agent's tool."""
    prompt_tokens: Count = 400
    """What a turn adds to the history before it is answered."""
    output_tokens: Count = 200
    context_tokens: Count = 100_000
    """A session ends before its prompt would be longer."""


class Workload(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Traffic of all clients, until ``requests`` have come."""

    clients: Annotated[tuple[Traffic, ...], msgspec.Meta(min_length=1, max_length=100_000)]
    requests: Count


class _Session:
    __slots__ = ("blocks", "number", "tokens", "traffic", "turns_left")

    def __init__(self, number: int, traffic: Traffic, system: tuple[int, ...], turns: int) -> None:
        self.number = number
        self.traffic = traffic
        self.blocks = list(system)
        self.tokens = traffic.system_tokens
        self.turns_left = turns


def read_workload(data: bytes) -> Workload:
    """Raises ``WorkloadError`` with the place of the first mistake."""
    try:
        return msgspec.json.decode(data, type=Workload)
    except msgspec.DecodeError as problem:
        raise WorkloadError(str(problem)) from None


def generate(workload: Workload, *, model: str, seed: int, speed: float = 1.0) -> Iterator[Arrival]:
    """Arrivals in order; the same for the same arguments. Holds the open sessions and nothing else."""
    draw = random.Random(seed)  # noqa: S311 - a reproducible workload, not a secret
    ids, order, numbers = itertools.count(), itertools.count(), itertools.count(1)
    clients = workload.clients
    systems = [
        [tuple(next(ids) for _ in range(one.system_tokens // BLOCK_TOKENS)) for _ in range(one.families)]
        for one in clients
    ]
    popular = [list(itertools.accumulate(1 / n for n in range(1, one.families + 1))) for one in clients]
    # Openings of clients (an index) and turns of sessions, by when they are due.
    due: list[tuple[float, int, int | _Session]] = []
    for client, traffic in enumerate(clients):
        heappush(due, (_until_next(traffic, draw), next(order), client))
    left = workload.requests
    while left:
        at, _, what = heappop(due)
        if isinstance(what, int):
            traffic = clients[what]
            heappush(due, (at + _until_next(traffic, draw), next(order), what))
            system = draw.choices(systems[what], cum_weights=popular[what])[0]
            turns = 1 + _drawn(traffic.turns - 1, draw)
            session = _Session(next(numbers), traffic, system, turns)
        else:
            session = what
        arrival = _turn(session, model, int(at * MICROS / speed), ids, draw)
        if arrival is None:
            continue
        yield arrival
        left -= 1
        if session.turns_left:
            pause = draw.expovariate(1 / session.traffic.pause_seconds)
            heappush(due, (at + pause, next(order), session))


def _turn(
    session: _Session, model: str, at_us: int, ids: Iterator[int], draw: random.Random
) -> Arrival | None:
    """The next request of a session; None when its context is full."""
    traffic = session.traffic
    tokens = session.tokens + 1 + _drawn(traffic.prompt_tokens, draw)
    output = 1 + _drawn(traffic.output_tokens, draw)
    if tokens > traffic.context_tokens:
        return None
    blocks = session.blocks
    while len(blocks) < tokens // BLOCK_TOKENS:
        blocks.append(next(ids))
    session.tokens = tokens + output
    session.turns_left -= 1
    return Arrival(
        at_us,
        traffic.tenant,
        traffic.service_tier,
        model,
        tokens,
        output,
        tuple(blocks),
        session.number,
    )


def _until_next(traffic: Traffic, draw: random.Random) -> float:
    """Seconds to the next session: a gamma variate of the mean and the burstiness asked for."""
    shape = 1 / traffic.burstiness**2
    return draw.gammavariate(shape, 1 / (shape * traffic.sessions_per_second))


def _drawn(mean: float, draw: random.Random) -> int:
    """A whole number of the mean: an exponential of this rate, cut to whole, is geometric with that mean."""
    return int(draw.expovariate(log1p(1 / mean))) if mean > 0 else 0
