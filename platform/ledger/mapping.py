"""How does an event off the wire become a row, and how do documents become prices?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from threading import Lock
from typing import Any

import orjson

from coordination.program.canonical import sha256_digest
from coordination.wire.usage import Event
from ledger import periods
from ledger.models import UsageEvent
from ledger.pricing import FREE, Book, Cost, PriceList, Rate, Tokens
from policies import selectors as policy
from policies.mapping import documents

CONTENT = (
    "environment",
    "gateway",
    "request_id",
    "attempt",
    "kind",
    "tenant",
    "key_id",
    "model",
    "tier",
    "pool",
    "replica",
    "reservation",
    "bundle",
    "outcome",
    "counted_by",
    "uncached_input",
    "cached_input",
    "cache_write",
    "output",
    "reasoning",
    "started_us",
    "ended_us",
    "spend_nano",
)
"""What an event says, in the order its digest is made of. Added to only together with a new ``FORMAT``."""
FORMAT = "usage/1"
GENESIS = "sha256:" + "0" * 64
Key = tuple[str, int, str]
"""(request, attempt, kind): unique within a gateway."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch came from, and when: microseconds since 1970 by our clock."""

    environment: str
    gateway: str
    received_us: int
    skew_us: int = 0
    """By which the gateway's clock is ahead of ours."""


def row_of(event: Event, origin: Origin) -> UsageEvent:
    """The event as a row; price and place in the chain are not known yet."""
    row = UsageEvent(
        environment=origin.environment,
        gateway=origin.gateway,
        request_id=event.request_id,
        attempt=event.attempt,
        kind=event.kind,
        tenant=event.tenant,
        key_id=event.key_id,
        model=event.model,
        tier=event.tier,
        pool=event.pool,
        replica=event.replica,
        reservation=event.reservation or "",
        bundle=event.bundle,
        outcome=event.outcome,
        counted_by=event.counted_by,
        uncached_input=event.uncached_input,
        cached_input=event.cached_input,
        cache_write=event.cache_write,
        output=event.output,
        reasoning=event.reasoning,
        started_us=event.started_at,
        ended_us=event.ended_at,
        spend_nano=event.spend_nano,
        received_us=origin.received_us,
        occurred_us=event.ended_at - origin.skew_us,
    )
    row.digest = digest_of(row)
    return row


def key_of(row: UsageEvent) -> Key:
    return row.request_id, row.attempt, row.kind


def digest_of(row: UsageEvent) -> str:
    """Of what the event says; the same for every time it is sent."""
    return sha256_digest(orjson.dumps([FORMAT, *(getattr(row, name) for name in CONTENT)]))


def link_of(previous: str, row: UsageEvent) -> str:
    """The chain's next link: over the one before, the event, and what was made of it."""
    made = [row.cost_nano, row.saved_nano, row.currency, row.statement.isoformat(), row.occurred_us]
    return "sha256:" + sha256(orjson.dumps([previous or GENESIS, row.digest, *made])).hexdigest()


def body_of(row: UsageEvent) -> dict[str, Any]:
    """What the event says, for the quarantine."""
    return {name: getattr(row, name) for name in CONTENT}


def cost_of(row: UsageEvent, prices: PriceList) -> Cost:
    """By the prices in force when the attempt began. What ended before its first byte is free."""
    if row.kind == "failed":
        return FREE
    tokens = Tokens(row.uncached_input, row.cached_input, row.cache_write, row.output, row.reasoning)
    began = row.occurred_us - (row.ended_us - row.started_us)
    return prices.cost(row.model, row.tier, tokens, began)


class PriceLists:
    """The price list of each environment, read anew when its policy has moved on."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[str, PriceList]] = {}
        self._lock = Lock()

    def of(self, environment: str) -> PriceList:
        """Reads the database: one query while the policy stands still."""
        revision = policy.current_revision(environment)
        if revision is None:
            return PriceList(())
        with self._lock:
            held = self._held.get(environment)
        if held is None or held[0] != revision.digest:
            held = (revision.digest, PriceList(_books(environment)))
            with self._lock:
                self._held[environment] = held
        return held[1]


def _books(environment: str) -> Iterable[Book]:
    digests = policy.heads(environment, "PriceBook").values_list("document_id", flat=True)
    found, _ = documents.parse(digests)
    for document in found.values():
        spec: Any = document.spec
        rates: dict[str, list[Rate]] = {}
        for entry in spec.entries:
            rate = Rate(
                entry.from_,
                entry.uncached_input.nano,
                entry.cached_input.nano,
                entry.output.nano,
                None if entry.cache_write is None else entry.cache_write.nano,
                None if entry.reasoning is None else entry.reasoning.nano,
            )
            rates.setdefault(entry.model, []).append(rate)
        yield Book(
            name=document.name,
            currency=spec.currency,
            rates={
                model: tuple(sorted(of_model, key=lambda rate: rate.start))
                for model, of_model in rates.items()
            },
            multipliers_ppm=dict(spec.tier_multipliers),
        )


def price(row: UsageEvent, prices: PriceList) -> None:
    """Fill in what the ledger makes of the event: cost, and the month it is charged in."""
    cost = cost_of(row, prices)
    row.cost_nano, row.saved_nano, row.currency = cost.nano, cost.saved_nano, cost.currency
    row.statement = periods.statement_of(row.occurred_us, row.received_us)
