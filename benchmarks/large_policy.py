"""What does the policy of a large platform look like, for measuring? Many tenants, not one mistake.

Organisations of nine teams; each holds a quota and some reservations, every fifth of them for office
hours; routes by model, organisation and prompt length. Made from numbers alone, so every machine
measures the same documents.
"""

from __future__ import annotations

import json
from typing import Any

from coordination.spec import SourceFile

MODELS = 50
REGIONS = ("eu", "us")
TEAMS = 9
"""Child tenants of one organisation."""
REPLICAS = 16
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
OFFICE_HOURS = {"recurs": "FREQ=WEEKLY;BYDAY=MO,TU,WE,TH,FR", "at": "09:00-18:00"}
TIERS = {"priority": 300, "standard": 200, "flex": 100, "batch": 50}

Tree = dict[str, Any]


def large_policy(
    tenants: int = 10_000, reservations: int = 5_000, routes: int = 1_000, expectations: int = 0
) -> list[Tree]:
    """The documents, kind by kind."""
    organisations = max(1, tenants // (TEAMS + 1))
    return [
        *(_model(m) for m in range(MODELS)),
        *(_pool(m, region) for m in range(MODELS) for region in REGIONS),
        *(_tier(name, band) for name, band in TIERS.items()),
        *(_tenant(n) for n in range(tenants)),
        *(_quota(n) for n in range(tenants) if n % (TEAMS + 1) == 0),
        *(_reservation(n, organisations, reservations) for n in range(reservations)),
        *(_route(n, organisations) for n in range(routes)),
        *(_route_for_everyone(m) for m in range(MODELS)),
        *(_expectation(n, organisations) for n in range(expectations)),
    ]


def as_json(documents: list[Tree]) -> list[SourceFile]:
    """One file a kind, as a console or a generator writes them."""
    return [
        SourceFile(f"{kind.lower()}.json", json.dumps(held, indent=1).encode())
        for kind, held in _by_kind(documents).items()
    ]


def as_yaml(documents: list[Tree]) -> list[SourceFile]:
    """One file a kind, laid out as people lay it out: blocks above, short lists and mappings on one line."""
    return [
        SourceFile(f"{kind.lower()}.yaml", "---\n".join(map(_yaml, held)).encode())
        for kind, held in _by_kind(documents).items()
    ]


def _by_kind(documents: list[Tree]) -> dict[str, list[Tree]]:
    found: dict[str, list[Tree]] = {}
    for document in documents:
        found.setdefault(document["kind"], []).append(document)
    return found


def _yaml(document: Tree) -> str:
    lines = [f"apiVersion: {document['apiVersion']}", f"kind: {document['kind']}"]
    lines.append(f"metadata: {json.dumps(document['metadata'])}")
    lines.append("spec:")
    for field, value in document["spec"].items():
        if isinstance(value, list) and isinstance(value[0], dict):
            lines.append(f"  {field}:")
            lines += [f"    - {_flow(item)}" for item in value]
        else:
            lines.append(f"  {field}: {_flow(value)}")
    return "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_flow, value)) + "]"
    quoted = isinstance(value, str) and any(sign in value for sign in (": ", ";", ","))
    return json.dumps(value) if quoted else str(value)


def _document(kind: str, name: str, spec: Tree) -> Tree:
    return {"apiVersion": "headway/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _organisation(n: int) -> str:
    return f"org-{n:04d}"


def _model(m: int) -> Tree:
    return _document(
        "Model",
        f"model-{m:02d}",
        {
            "context_window": "128k",
            "max_output": "8k",
            "cost": {"uncached_input": 1, "cached_input": "0.1", "output": 4},
        },
    )


def _pool(m: int, region: str) -> Tree:
    first = (m * len(REGIONS) + REGIONS.index(region)) * REPLICAS
    urls = [f"http://replica-{first + r}.{region}:8000" for r in range(REPLICAS)]
    return _document(
        "Pool",
        f"pool-{m:02d}-{region}",
        {
            "model": f"model-{m:02d}",
            "region": region,
            "engine": "vllm",
            "profile": "llama-3-8b-h100-tp1",
            "replicas": {"urls": urls},
            "capacity": {
                "input": "2.2M tokens/min",
                "output": "300k tokens/min",
                "sequences": 256,
                "kv_tokens": "430k",
            },
            "reservable": "70%",
        },
    )


def _tier(name: str, band: int) -> Tree:
    return _document("Tier", name, {"band": band, "queue": {"max_wait": "10s", "max_depth": 2000}})


def _tenant(n: int) -> Tree:
    organisation, team = divmod(n, TEAMS + 1)
    name = _organisation(organisation) + (f"/team-{team}" if team else "")
    return _document(
        "Tenant",
        name,
        {
            "display_name": f"Organisation {organisation}" + (f", team {team}" if team else ""),
            "tiers": list(TIERS) if organisation % 2 else ["standard", "priority", "flex"],
            "default_tier": "standard",
            "zone": ZONES[organisation % len(ZONES)],
            "labels": {"segment": "retail" if organisation % 3 else "research"},
        },
    )


def _quota(n: int) -> Tree:
    organisation, team = divmod(n, TEAMS + 1)
    whole = not team
    spec = {
        "tenant": _organisation(organisation) + (f"/team-{team}" if team else ""),
        "weight": 1 + n % 4,
        "limits": [
            {"of": "total_tokens", "per": "1m", "limit": "40M" if whole else "1M"},
            {"of": "requests", "per": "1m", "limit": "3k" if whole else 500},
        ],
        "concurrency": 400 if whole else 64,
    }
    return _document("Quota", f"quota-{n:05d}", spec)


def _reservation(n: int, organisations: int, reservations: int) -> Tree:
    """Spread so that, in the thousands, every pool stays within what it may promise."""
    organisation, turn = n % organisations, n // organisations
    model = (organisation + turn * 7) % MODELS
    most = max(1, -(-reservations // (MODELS * len(REGIONS))))
    window: Tree = {"from": "2026-12-01T00:00:00Z", "until": "2027-12-01T00:00:00Z"}
    if n % 5 == 0:
        window |= {**OFFICE_HOURS, "zone": ZONES[1 + organisation % (len(ZONES) - 1)]}
    return _document(
        "Reservation",
        f"reservation-{n:05d}",
        {
            "tenant": _organisation(organisation),
            "pool": f"pool-{model:02d}-{REGIONS[(organisation // MODELS) % len(REGIONS)]}",
            "tier": "priority",
            "throughput": {
                "input": f"{2_200_000 * REPLICAS // (4 * most)} tokens/min",
                "output": f"{300_000 * REPLICAS // (4 * most)} tokens/min",
            },
            "burn": {"uncached_input": 1, "cached_input": "0.1", "output": 1},
            "window": window,
            "enforcement_window": "10s",
            "overflow": "spill",
        },
    )


def _route(n: int, organisations: int) -> Tree:
    """An organisation's own way with one model: half of them for long prompts only."""
    model, organisation = n % MODELS, (n * 37) % organisations
    match: Tree = {"models": [f"model-{model:02d}"], "tenants": [_organisation(organisation)]}
    if n % 2:
        match["prompt_tokens"] = {"min": "8k"}
    return _document(
        "Route",
        f"route-{n:04d}",
        {
            "rank": 10 + n,
            "match": match,
            "targets": [{"pool": f"pool-{model:02d}-{region}", "weight": 1} for region in REGIONS],
            "placement": {"strategy": "balanced", "release_after": "1s"},
        },
    )


def _route_for_everyone(m: int) -> Tree:
    return _document(
        "Route",
        f"everyone-{m:02d}",
        {
            "rank": 100_000 + m,
            "match": {"models": [f"model-{m:02d}"]},
            "targets": [{"pool": f"pool-{m:02d}-{region}", "weight": 1} for region in REGIONS],
        },
    )


def _expectation(n: int, organisations: int) -> Tree:
    """One organisation is served, each in another way: it must stay true whatever is edited."""
    tier = ("standard", "priority", "flex")[n % 3]
    given = {
        "tenant": _organisation(n * 7 % organisations),
        "model": f"model-{n % MODELS:02d}",
        "tier": tier,
        "prompt_tokens": f"{1 + n % 12}k",
    }
    return _document(
        "Expectation", f"expectation-{n:04d}", {"given": given, "expect": {"verdict": "admit", "tier": tier}}
    )
