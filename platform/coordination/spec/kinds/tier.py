"""Tier: a class of service, by the names clients know it under."""

from typing import Annotated

from coordination.spec.declaration import Block, Blocks
from coordination.spec.kinds.objective import Objective
from coordination.spec.kinds.overflow import Overflow, OverflowNotation
from coordination.spec.notation import (
    Choice,
    Count,
    Duration,
    Items,
    Rate,
    Reference,
    Share,
    Text,
    Whole,
)


class Queue(Block, frozen=True, kw_only=True):
    """The waiting room of a tier in front of each pool."""

    max_wait: Annotated[int, Duration(most="24h"), "Longest time a request may wait."] = 1_000_000
    max_depth: Annotated[int, Count("requests", 0, 1_000_000), "Most requests waiting per pool."] = 1000
    order: Annotated[
        str,
        Choice("fcfs", "deadline", "las"),
        "Who goes first within a tenant: first come, earliest deadline, or least served so far.",
    ] = "fcfs"


class Ramp(Block, frozen=True, kw_only=True):
    """How fast a tenant's use of the tier may grow; what is beyond it is downgraded."""

    growth: Annotated[int, Share("0%", "10000%"), "By how much more than the mean of what went before."]
    per: Annotated[int, Duration("1m", "24h"), "Over how long that mean is taken."] = 900_000_000
    floor: Annotated[int, Rate("tokens/min"), "A rate that is always allowed."] = 0


class Tier(Block, frozen=True, kw_only=True):
    """A class of service."""

    service_tier: Annotated[
        tuple[str, ...],
        Items(Text(63, r"[a-z0-9][a-z0-9._-]*", "a service_tier value such as `priority`"), most=20),
        "Values of the request's `service_tier` it answers to, the first being the one answered with; "
        "by default the object's name.",
    ] = ()
    band: Annotated[int, Whole(0, 1000), "Higher goes first."]
    minimum_share: Annotated[
        int,
        Share(),
        "What it keeps of a pool under pressure from higher bands, so that they cannot starve it.",
    ] = 0
    holdback: Annotated[
        int,
        Share("0%", "90%"),
        "Part of each pool's sequences and KV cache it leaves free for others, so that they need not wait.",
    ] = 0
    objectives: Annotated[tuple[Objective, ...], Blocks(Objective, most=50), "What it promises."] = ()
    queue: Annotated[Queue, "Its waiting room."] = Queue()
    overflow: Annotated[
        Overflow,
        OverflowNotation("refuse", "queue", "spill"),
        "What happens when the wait would be too long.",
    ] = Overflow("refuse")
    cache_sharing: Annotated[
        str,
        Choice("tenant", "pool"),
        "Who may reuse a cached prefix: only its own tenant, or everyone on the pool (timing then leaks).",
    ] = "tenant"
    ramp: Annotated[Ramp | None, "Its fastest growth; unlimited when absent."] = None
    escalate_to: Annotated[
        str | None, Reference("Tier"), "The tier a batch goes on in when its deadline draws near."
    ] = None
