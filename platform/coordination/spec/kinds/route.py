"""Route: which requests go to which pools. The matching route of the least rank wins."""

from typing import Annotated

from coordination.spec.declaration import Block, Blocks
from coordination.spec.kinds.pool import REGION
from coordination.spec.kinds.tenant import LABELS
from coordination.spec.notation import (
    Choice,
    Count,
    Duration,
    Factor,
    Flag,
    Items,
    Reference,
    Share,
    Table,
    Text,
    Whole,
)


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
    labels: Annotated[dict[str, str], LABELS, "Only tenants that have all of these labels."] = {}
    regions: Annotated[
        tuple[str, ...], Items(REGION, most=100), "Only requests that come to a gateway in one of these."
    ] = ()
    prompt_tokens: Annotated[PromptTokens, "Only prompts of this length."] = PromptTokens()
    session: Annotated[bool | None, Flag(), "Only requests with, or only those without, a session."] = None
    headers: Annotated[
        dict[str, str],
        Table(Text(100, r"[a-z0-9-]+", "a header in small letters"), Text(1000), most=20),
        "Only requests in which all of these headers have just these values.",
    ] = {}


class Guard(Block, frozen=True, kw_only=True):
    """When a canary gets no more traffic: what fell to it then goes to the route's other targets, until the
    route is changed. Each gateway counts for itself; a bound tells once it is exceeded beyond doubt."""

    errors: Annotated[int, Share(), "Share of failed requests that is too much."] = 20_000
    slower: Annotated[int, Share("0%", "1000%"), "How much slower than the others is too slow."] = 500_000
    over: Annotated[int, Duration("10s", "24h"), "Over how long both are measured."] = 300_000_000


class Target(Block, frozen=True, kw_only=True):
    """A pool and its part of the traffic."""

    pool: Annotated[str, Reference("Pool"), "Where requests go."]
    weight: Annotated[int, Whole(0, 1_000_000), "Its part, relative to the other targets."] = 1
    canary: Annotated[bool, Flag(), "Whether it is on trial: watched, and given up by its guard."] = False
    guard: Annotated[Guard | None, "When a canary is given up."] = None
    mirror: Annotated[
        int,
        Share(),
        "Part of the route's sessions whose requests are sent there as well, as long as there is room; the "
        "answer is thrown away, and nobody pays.",
    ] = 0


class Placement(Block, frozen=True, kw_only=True):
    """How a replica is chosen within the pool (R20, R21)."""

    strategy: Annotated[
        str,
        Choice(
            "balanced",
            "cache_first",
            "latency_first",
            "spread",
            "round_robin",
            "least_outstanding",
        ),
        "balanced weighs cached prefix against load; the others lean one way, or are there to compare with.",
    ] = "balanced"
    scorers: Annotated[
        dict[str, int],
        Table(Choice("cache", "prefill", "kv_free", "running", "latency", "locality", "adapter"), Factor()),
        "Weights of what speaks for a replica, in place of a strategy.",
    ] = {}
    release_after: Annotated[
        int,
        Duration(most="1h"),
        "How much longer the replica with the cached prefix may take than the quickest.",
    ] = 1_000_000
    sticky_for: Annotated[
        int, Duration(most="24h"), "How long a session keeps its replica when nothing speaks against it."
    ] = 0
    max_imbalance: Annotated[
        int | None,
        Factor("1", "1000"),
        "How many times the load of the least loaded replica a preferred one may have.",
    ] = None


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


class Hedging(Block, frozen=True, kw_only=True):
    """A second attempt beside a slow first one, on another replica: the first to send a byte answers. Of
    answers that are not streamed only embeddings are tried twice: the others begin when they are done."""

    after: Annotated[int, Duration("1ms", "1h"), "How long the first may take to its first byte."]
    most: Annotated[int, Share(), "Share of requests that may be tried twice."] = 50_000


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
    rewrite: Annotated[
        bool, Flag(), "Whether a fallback may serve another model, whose name then goes in the request."
    ] = False
    hedging: Annotated[Hedging | None, "A second attempt beside a slow first one; none when absent."] = None
