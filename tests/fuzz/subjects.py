"""Which policies are damaged? Every example, and one small policy in which every kind uses every field."""

from __future__ import annotations

from coordination.spec import SourceFile
from tests.support.policies import ROOT, world_with

EVERYTHING = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: priority, labels: {team: core}, description: All of it}
spec:
  service_tier: [priority, fast]
  band: 300
  minimum_share: 10%
  objectives:
    - {metric: ttft, percentile: 95, target: 4s, uncached_input: {max: 8k}}
    - {metric: availability, target: 99.9%}
  queue: {max_wait: 250ms, max_depth: 2000, order: las}
  overflow: {downgrade: standard}
  ramp: {growth: 50%, per: 15m, floor: 100k tokens/min}
---
apiVersion: headway/v1
kind: Reservation
metadata: {name: office}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 100k tokens/min, output: 10k tokens/min}
  burn: {uncached_input: 1, cached_input: 0.1, cache_write: 1.25, output: 1, reasoning: 1}
  window:
    {from: 2026-01-01T00:00:00Z, until: 2027-01-01T00:00:00Z, recurs: "FREQ=WEEKLY;BYDAY=MO,SU",
     at: "01:30-18:00", zone: America/New_York}
  enforcement_window: 10s
  overflow: spill
  lend_when_idle: false
  reclaim_within: 2s
---
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec:
  tenant: acme
  scope: {tiers: [priority, standard]}
  weight: 4
  limits:
    - {of: total_tokens, per: 1m, limit: 2M, guaranteed: 500k, borrow: 1.5M, lend: 250k}
    - {of: requests, per: 1h, limit: 3k}
  concurrency: 400
  session: {tokens: 1M}
  run: {tokens: 2M, steps: 200, wall_time: 30m, branches: 8, loop_guard: {repeats: 5, then: refuse}}
  delegation: {weight: true, limits: true, keys: true}
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec:
  rank: 100
  match: {models: [llama-3-8b], labels: {team: search}, prompt_tokens: {min: 0, max: 64k}}
  targets:
    - {pool: chat, weight: 95}
  placement:
    {strategy: balanced, scorers: {cache: 1, prefill: 2}, release_after: 1s, sticky_for: 10m,
     max_imbalance: 2}
  timeouts: {first_byte: 10s, total: 5m}
  retries: {attempts: 2, on: [connect, status_503]}
  hedging: {after: 2s, most: 5%}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme}
spec:
  {display_name: Acme, tiers: [priority, standard], default_tier: standard, labels: {team: search},
   zone: Asia/Kolkata}
---
apiVersion: headway/v1
kind: PriceBook
metadata: {name: list}
spec:
  currency: USD
  entries:
    - {model: llama-3-8b, from: 2026-01-01T00:00:00Z, uncached_input: 0.15 USD/1M tokens,
       cached_input: 0.02 USD/1M tokens, cache_write: 0.2 USD/1M tokens,
       output: 0.6 USD/1M tokens, reasoning: 0.6 USD/1M tokens}
  tier_multipliers: {priority: 1.5}
"""


def subjects() -> list[list[SourceFile]]:
    """Policies by their files; each folder of examples that holds documents."""
    found = [world_with(EVERYTHING)]
    for folder in sorted((ROOT / "examples").iterdir()):
        files = [SourceFile(p.name, p.read_bytes()) for p in sorted(folder.glob("*.yaml"))]
        if files:
            found.append(files)
    return found
