"""Does the ledger say of every attempt what the simulated fleet booked for it? Both books, line by line.

What must hold:
- A completed attempt that the engine reported on is the fleet's entry, token by token.
- Of an attempt that was broken off (client gone, replica gone, gateway killed) the ledger says no more
  than the engine produced, and says that it counted itself.
- A failed attempt is free, and so is one that the engine refused.
- The fleet served nobody of whom the ledger does not know, and an attempt is in the ledger once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

PAGE = 1000
Line = Mapping[str, Any]


@dataclass(slots=True)
class Reconciled:
    """What the comparison found. ``problems`` are words for people; empty when the books agree."""

    exact: int = 0
    """Completed attempts, equal token by token."""
    broken_off: int = 0
    """Attempts the gateway counted itself: a lower bound."""
    interrupted: int = 0
    """Of those, the ones open when a gateway was killed."""
    failed: int = 0
    short: int = 0
    """Output tokens that the engine produced for broken-off attempts beyond what the ledger has."""
    problems: list[str] = field(default_factory=list)


def fleet_book(replicas: Iterable[str]) -> list[dict[str, Any]]:
    """Every request that reached an engine, with the replica it was at."""
    found: list[dict[str, Any]] = []
    with httpx.Client(timeout=30, trust_env=False) as client:
        for url in replicas:
            after: int | None = 0
            while after is not None:
                page = client.get(f"{url}/admin/record", params={"after": after, "limit": PAGE}).json()
                found += ({**entry, "replica": url} for entry in page["requests"])
                after = page["next_after"]
    return found


def reconcile(fleet: Iterable[Line], ledger: Iterable[Line]) -> Reconciled:
    """``fleet``: entries of ``fleet_book``. ``ledger``: events with the names of ``GET /usage/events``."""
    found = Reconciled()
    served: dict[str, list[Line]] = defaultdict(list)
    for entry in fleet:
        served[entry["request_id"]].append(entry)
    lines = list(ledger)
    for (request, attempt), count in Counter((e["request_id"], e["attempt"]) for e in lines).items():
        if count > 1:
            found.problems.append(f"{request} attempt {attempt} is {count} times in the ledger")
    taken: dict[str, list[Line]] = defaultdict(list)
    for event in lines:
        taken[event["request_id"]].append(event)
        _compare(event, served.get(event["request_id"], []), found)
    for request, entries in served.items():
        if len(entries) > len(taken[request]):
            found.problems.append(f"{request}: served {len(entries)} times, {len(taken[request])} accounted")
    return found


def _compare(event: Line, entries: list[Line], found: Reconciled) -> None:
    name = f"{event['request_id']} attempt {event['attempt']} ({event['kind']}, {event['outcome']})"
    prompt = event["uncached_input"] + event["cached_input"] + event["cache_write"]
    output = event["output"] + event["reasoning"]
    if event["kind"] == "failed" or (event["outcome"], event["counted_by"]) == ("failed", "engine"):
        found.failed += 1
        if prompt or output or event["cost_nano"]:
            found.problems.append(f"{name}: charged {prompt} + {output} tokens")
        return
    if event["kind"] == "settled" and event["counted_by"] == "engine":
        booked = [e for e in entries if e["output_tokens"] == output and e["prompt_tokens"] == prompt]
        if not any(e["cached_tokens"] == event["cached_input"] for e in booked):
            found.problems.append(f"{name}: {prompt} + {output} tokens, the fleet has {entries}")
        elif event["outcome"] == "completed":
            found.exact += 1
        return
    found.broken_off += 1
    found.interrupted += event["kind"] == "interrupted"
    produced = max((e["output_tokens"] for e in entries), default=0)
    if output > produced:
        found.problems.append(f"{name}: {output} tokens out, the fleet produced {produced}")
    found.short += produced - output
