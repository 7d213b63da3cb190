"""Route: which requests go to which pools. The matching route of the least rank wins."""

from __future__ import annotations

from typing import Annotated

from coordination.spec.declaration import Block, Blocks
from coordination.spec.notation import Choice, Count, Duration, Items, Reference, Whole


class PromptTokens(Block, frozen=True, kw_only=True):
    """A range of prompt lengths: ``min <= n < max``."""

    min: Annotated[int, Count("tokens"), "Least length that matches."] = 0
    max: Annotated[
        int | None, Count("tokens", 1), "First length that no longer matches; none when absent."
    ] = None


class Match(Block, frozen=True, kw_only=True):
    """Which requests; an empty list means all."""

    models: Annotated[tuple[str, ...], Items(Reference("Model")), "Only these models."] = ()
    tiers: Annotated[tuple[str, ...], Items(Reference("Tier")), "Only these tiers."] = ()
    tenants: Annotated[
        tuple[str, ...], Items(Reference("Tenant")), "Only these tenants and their descendants."
    ] = ()
    prompt_tokens: Annotated[PromptTokens, "Only prompts of this length."] = PromptTokens()


class Target(Block, frozen=True, kw_only=True):
    """A pool and its part of the traffic."""

    pool: Annotated[str, Reference("Pool"), "Where requests go."]
    weight: Annotated[int, Whole(0, 1_000_000), "Its part, relative to the other targets."] = 1


class Placement(Block, frozen=True, kw_only=True):
    """How a replica is chosen within the pool (R20, R21)."""

    strategy: Annotated[
        str,
        Choice("balanced", "round_robin", "least_outstanding"),
        "balanced weighs cached prefix against load; the others are there to compare with.",
    ] = "balanced"
    release_after: Annotated[
        int,
        Duration(most="1h"),
        "How much longer the replica with the cached prefix may take than the quickest.",
    ] = 1_000_000


class Timeouts(Block, frozen=True, kw_only=True):
    """How long the engine may take."""

    first_byte: Annotated[int, Duration("1ms", "1h"), "From dispatch to the first byte."] = 60_000_000
    total: Annotated[int, Duration("1ms", "24h"), "From dispatch to the last byte."] = 600_000_000


class Retries(Block, frozen=True, kw_only=True):
    """What is tried again on another replica, before the first byte."""

    attempts: Annotated[int, Whole(0, 10), "Further attempts after the first."] = 2
    on: Annotated[
        tuple[str, ...], Items(Choice("connect", "status_503")), "What counts as worth another attempt."
    ] = ("connect", "status_503")


class Route(Block, frozen=True, kw_only=True):
    """Sends matching requests to pools."""

    rank: Annotated[int, Whole(0, 1_000_000), "Order among routes; the matching one of least rank wins."]
    match: Annotated[Match, "Which requests."] = Match()
    targets: Annotated[tuple[Target, ...], Blocks(Target, least=1, most=100), "Pools, with weights."]
    placement: Annotated[Placement, "How a replica is chosen."] = Placement()
    fallback: Annotated[
        tuple[str, ...],
        Items(Reference("Pool"), most=20),
        "Pools tried in order when the targets have no room.",
    ] = ()
    timeouts: Annotated[Timeouts, "How long the engine may take."] = Timeouts()
    retries: Annotated[Retries, "What is tried again."] = Retries()
