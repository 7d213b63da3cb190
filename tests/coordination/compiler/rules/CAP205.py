"""Reservations no request reaches."""

from tests.support.policies import Case

POLICY = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec: {tenant: acme, pool: chat, tier: priority, throughput: {input: 1k tokens/min, output: 1k tokens/min}}
---
apiVersion: headway/v1
kind: Pool
metadata: {name: other}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://other:1"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
---
apiVersion: headway/v1
kind: Route
metadata: {name: others}
spec: {rank: 1, match: {tiers: [%s]}, targets: [{pool: other}]}
---
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 100, match: {tiers: [standard]}, targets: [{pool: chat}]}
"""
FURTHER = "".join(
    f"""---
apiVersion: headway/v1
kind: Pool
metadata: {{name: {name}}}
spec:
  model: llama-3-8b
  profile: p
  replicas: {{urls: ["http://{name}:1"]}}
  capacity: {{input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}}
"""
    for name in "abc"
)
CASES = [
    Case(
        "its requests go elsewhere",
        POLICY % "priority",
        (("4:28", "no route leads requests of tenant `acme` in tier `priority` to pool `chat`"),),
    ),
    Case(
        "one of its model is told once, however many pools it is divided over",
        POLICY.replace("pool: chat, tier: priority", "model: llama-3-8b, tier: priority") % "priority"
        + FURTHER,
        (("4:29", "in tier `priority` to pools `a`, `b`, `c` and 1 more"),),
        also=("REF106",),
    ),
    Case(
        "it is reached by fallback",
        POLICY.replace("[{pool: other}]", "[{pool: other}], fallback: [chat]") % "priority",
    ),
]
