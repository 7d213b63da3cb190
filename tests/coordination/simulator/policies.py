"""The policies these tests simulate, and arrivals made on the spot."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from coordination.program.index import Program, load
from coordination.program.records import ProgramRecords
from coordination.simulator import Arrival, Settings, Simulation
from tests.support.programs import MINUTE, SECOND, PolicyBuilder, a_policy

PROFILE = "llama-3-8b-h100-tp1"


def fleet(replicas: int = 2, strategy: str = "balanced", **pool) -> PolicyBuilder:
    """One model, one pool of honest capacity, one tier that waits long."""
    capacity = {"input_per_minute": 2_100_000, "output_per_minute": 400_000, "kv_tokens": 430_080} | pool
    return a_policy().model().pool(replicas=replicas, **capacity).route(strategy=strategy)


def patient(policy: PolicyBuilder) -> PolicyBuilder:
    return policy.tier(max_wait=60 * MINUTE, max_depth=100_000)


def records(policy: PolicyBuilder, profile: str = PROFILE) -> ProgramRecords:
    made = policy.records()
    routes = tuple(
        msgspec.structs.replace(
            route,
            timeouts=msgspec.structs.replace(route.timeouts, first_byte=10 * MINUTE, total=60 * MINUTE),
        )
        for route in made.routes
    )
    pools = tuple(msgspec.structs.replace(pool, profile=profile) for pool in made.pools)
    return msgspec.structs.replace(made, pools=pools, routes=routes)


def program(policy: PolicyBuilder) -> Program:
    return load(records(policy))


def arrival(at: float, **changes) -> Arrival:
    """``at`` in seconds."""
    given = {
        "at_us": int(at * SECOND),
        "tenant": "acme",
        "service_tier": None,
        "model": "m",
        "prompt_tokens": 1000,
        "output_tokens": 20,
        "blocks": (),
        "session": 1,
    }
    return Arrival(**{**given, **changes})


def simulated(policy: Program, arrivals: Iterable[Arrival], **settings) -> Simulation:
    return Simulation(policy, iter(arrivals), Settings(**settings)).run()
