"""Tier: a class of service, by the names clients know it under."""

from __future__ import annotations

from typing import Annotated

from coordination.spec.declaration import Block
from coordination.spec.kinds.overflow import Overflow, OverflowNotation
from coordination.spec.notation import Choice, Count, Duration, Items, Text, Whole


class Queue(Block, frozen=True, kw_only=True):
    """The waiting room of a tier in front of each pool."""

    max_wait: Annotated[int, Duration(most="24h"), "Longest time a request may wait."] = 1_000_000
    max_depth: Annotated[int, Count("requests", 0, 1_000_000), "Most requests waiting per pool."] = 1000


class Tier(Block, frozen=True, kw_only=True):
    """A class of service."""

    service_tier: Annotated[
        tuple[str, ...],
        Items(Text(63, r"[a-z0-9][a-z0-9._-]*", "a service_tier value such as `priority`"), most=20),
        "Values of the request's `service_tier` it answers to, the first being the one answered with; "
        "by default the object's name.",
    ] = ()
    band: Annotated[int, Whole(0, 1000), "Higher goes first."]
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
