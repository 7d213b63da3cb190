"""Expectation: a test of the policy, written by its author: this request, then, must come out so; or
simulated under a trace, this promise must hold."""

from typing import Annotated, Any

from coordination.spec.declaration import Block, Blocks, notation_of
from coordination.spec.finding import Finding
from coordination.spec.kinds.objective import Bound, Length, Within
from coordination.spec.kinds.pool import ORIGIN
from coordination.spec.notation import (
    Choice,
    Count,
    Duration,
    Flag,
    Instant,
    Percentile,
    Reference,
    Share,
    Table,
    Text,
    Whole,
)
from coordination.spec.plain import Path
from coordination.spec.quantities import write_duration, write_percent
from coordination.spec.rules import SPEC007_unit, SPEC013_missing_field, SPEC016_contradiction, SPEC017_one_of

REASONS = (
    "rate_limit_exceeded",
    "capacity_exceeded",
    "deadline_unmeetable",
    "tier_not_entitled",
    "unknown_tier",
    "reservation_exceeded",
    "model_not_found",
    "no_route",
    "context_length_exceeded",
    "concurrency_exceeded",
    "spend_exceeded",
)
"""Codes admission can refuse with; what only an engine can bring about cannot be expected here."""
PLACED_FOR = ("prefix", "session", "load", "turn")
"""Why a replica is chosen."""
MOST_BEFORE = 10_000
URL = Text(300, ORIGIN, "an origin such as `http://replica-1.eu:8000`")


class ReplicaLoad(Block, frozen=True, kw_only=True):
    """How one replica is as the request arrives; what is left out is as in its pool."""

    url: Annotated[str, URL, "Which replica of the pool."]
    load: Annotated[int | None, Share(), "How much of its sequences and KV cache is in use."] = None
    healthy: Annotated[bool | None, Flag(), "Whether it takes requests at all."] = None
    backlog: Annotated[int | None, Duration(most="1h"), "Prefill it has yet to do."] = None
    cached: Annotated[
        int, Count("tokens"), "How much of the prompt, from its beginning, its cache holds."
    ] = 0
    session: Annotated[bool, Flag(), "The last request of the same session went there."] = False


class Load(Block, frozen=True, kw_only=True):
    """How a pool's replicas are as the request arrives."""

    load: Annotated[
        int, Share(), "How much of their sequences and KV cache is in use; at 100% none takes more."
    ] = 0
    healthy: Annotated[bool, Flag(), "Whether they take requests at all."] = True
    backlog: Annotated[
        int, Duration(most="1h"), "Prefill each of them has yet to do; beyond 250 ms it takes no more."
    ] = 0
    replicas: Annotated[
        tuple[ReplicaLoad, ...], Blocks(ReplicaLoad, most=100), "Those that are otherwise."
    ] = ()


class Given(Block, frozen=True, kw_only=True):
    """The request, and the fleet it meets."""

    tenant: Annotated[str, Reference("Tenant"), "Who asks."]
    model: Annotated[str, Reference("Model"), "For what."]
    tier: Annotated[
        str | None, Reference("Tier"), "In which tier; in the tenant's default tier when absent."
    ] = None
    service_tier: Annotated[
        str | None,
        Text(63, r"[a-z0-9][a-z0-9._-]*", "a service_tier value such as `scale`"),
        "What the client says, in place of a tier: `scale` asks for the reservation lane.",
    ] = None
    prompt_tokens: Annotated[int, Count("tokens", 1), "Length of the prompt."] = 200
    max_tokens: Annotated[int | None, Count("tokens", 1), "What the client asks for at most."] = None
    at: Annotated[int | None, Instant(), "When; at the start of the timeline when absent."] = None
    served: Annotated[
        int, Whole(0, MOST_BEFORE), "How many equal requests were served at the same instant, and are over."
    ] = 0
    running: Annotated[
        int, Whole(0, MOST_BEFORE), "How many equal requests are being served as it arrives."
    ] = 0
    fleet: Annotated[
        dict[str, Load],
        Table(Reference("Pool"), notation_of(Load), most=100),
        "Pools by name; those not named are idle.",
    ] = {}

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        if values.get("tier") is not None and values.get("service_tier") is not None:
            why = "Both say which tier is asked for."
            misread = SPEC016_contradiction.between("service_tier", "tier", why)
            found.append(Finding(misread, (path, "service_tier")))


class WaitBound(Block, frozen=True, kw_only=True):
    """How long it may have to wait."""

    at_most: Annotated[
        int,
        Duration(most="366d"),
        "The longest that the gateway may expect it to wait for a replica. Of places and memory nobody knows "
        "when they become free: who waits for them waits as long as the tier lets it.",
    ]


class Expect(Block, frozen=True, kw_only=True):
    """How it must come out; what is left out may be anything."""

    verdict: Annotated[
        str,
        Choice("admit", "queue", "refuse"),
        "`admit`: a replica has room for it at once; `queue`: it waits; `refuse`: the client is told no.",
    ]
    tier: Annotated[str | None, Reference("Tier"), "The tier it is served in, after any downgrade."] = None
    pool: Annotated[str | None, Reference("Pool"), "The pool it goes to, after any spill."] = None
    route: Annotated[str | None, Reference("Route"), "The route that decides."] = None
    reservation: Annotated[
        str | None, Choice("used", "spilled", "none"), "What a reservation does for it."
    ] = None
    wait: Annotated[WaitBound | None, "How long it may have to wait."] = None
    replica: Annotated[str | None, URL, "The replica it is sent to, or waits for."] = None
    reason: Annotated[
        str | None,
        Choice(*REASONS, *PLACED_FOR),
        "The code it is refused with; or why that replica: it holds the beginning of the prompt (`prefix`), "
        "the session lives there (`session`), it has the least to do (`load`) or it is its `turn`.",
    ] = None

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        said = f"verdict: {values['verdict']}"
        reason = values.get("reason")
        if values["verdict"] == "refuse":
            for name in ("pool", "reservation", "wait", "replica"):
                if values.get(name) is not None:
                    why = "A refused request waits for no replica of any pool and uses no reservation."
                    found.append(Finding(SPEC016_contradiction.between(name, said, why), (path, name)))
            if reason in PLACED_FOR:
                why = "A refusal has a code."
                found.append(Finding(SPEC016_contradiction.between("reason", said, why), (path, "reason")))
        elif reason is not None and reason not in PLACED_FOR:
            why = f"Only a refusal has a code; a replica is chosen by {', '.join(PLACED_FOR)}."
            found.append(Finding(SPEC016_contradiction.between("reason", said, why), (path, "reason")))


TIMES = ("ttft", "itl", "tpot", "e2e", "deadline", "queue")
"""Metrics that are times: at most so long."""
SHARES = ("availability", "cache_hit")
"""Metrics that are shares of a whole: at least so much."""


class Gate(Block, frozen=True, kw_only=True):
    """What a simulation must come to: of everything, or of one tier, tenant or pool."""

    metric: Annotated[
        str,
        Choice(*TIMES, *SHARES),
        "Time to the first token, between two tokens, per token, to the last token, until done for requests "
        "that name no deadline of their own, in our queue; "
        "share of requests answered; share of prompt tokens found in a cache.",
    ]
    percentile: Annotated[
        int | None, Percentile(), "Of how many requests in a hundred it holds; 95 when absent."
    ] = None
    target: Annotated[Bound, Within(TIMES, SHARES), "The longest time, or the least share."]
    uncached_input: Annotated[Length | None, "Of requests with so many prompt tokens to compute alone."] = (
        None
    )
    tier: Annotated[str | None, Reference("Tier"), "Of requests served in it alone."] = None
    tenant: Annotated[str | None, Reference("Tenant"), "Of its requests alone, and of tenants below it."] = (
        None
    )
    pool: Annotated[str | None, Reference("Pool"), "Of requests that went there alone."] = None

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        metric, target = values["metric"], values["target"]
        if metric not in SHARES:
            if target.time is None:
                misread = SPEC007_unit.wrong(write_percent(target.share), "time", "400ms")
                found.append(Finding(misread, (path, "target")))
            return
        if target.share is None:
            misread = SPEC007_unit.wrong(write_duration(target.time), "percent", "99.9%")
            found.append(Finding(misread, (path, "target")))
        for name in ("percentile", "uncached_input"):
            if values.get(name) is not None:
                why = "It speaks of all requests, and of no time."
                misread = SPEC016_contradiction.between(name, f"metric: {metric}", why)
                found.append(Finding(misread, (path, name)))


class Simulated(Block, frozen=True, kw_only=True):
    """What `headway simulate` must find under the trace it is given."""

    gates: Annotated[tuple[Gate, ...], Blocks(Gate, least=1, most=50), "Each must hold."]


class Expectation(Block, frozen=True, kw_only=True):
    """A test of the policy: given this request and this fleet, this verdict; or simulated, these gates."""

    given: Annotated[Given | None, "The request, and the fleet it meets."] = None
    expect: Annotated[Expect | None, "How it must come out."] = None
    simulate: Annotated[
        Simulated | None, "In place of both: what must hold when the policy is simulated under a trace."
    ] = None

    @classmethod
    def review(cls, values: dict[str, Any], path: Path, found: list[Finding]) -> None:
        given = [name for name in ("given", "simulate") if values.get(name) is not None]
        if len(given) != 1:
            misread = SPEC017_one_of.exactly_one("`Expectation`", ("given", "simulate"), given)
            found.append(Finding(misread, path))
        elif given == ["given"] and values.get("expect") is None:
            misread = SPEC013_missing_field.missing("expect", "`Expectation`", "How it must come out.")
            found.append(Finding(misread, path))
        elif given == ["simulate"] and values.get("expect") is not None:
            why = "A simulation has gates; one request has a verdict."
            misread = SPEC016_contradiction.between("expect", "simulate", why)
            found.append(Finding(misread, (path, "expect")))
