"""Routes that fall back to where they come from."""

from tests.support.policies import Case

ROUTE = """\
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
metadata: {name: everything}
spec: {rank: 1, targets: %s, fallback: %s}
"""
CASES = [
    Case(
        "to its only target",
        ROUTE % ("[{pool: chat}]", "[other, chat]"),
        (("13:60", "falls back to `chat`"),),
    ),
    Case(
        "to the only target with weight",
        ROUTE % ("[{pool: chat}, {pool: other, weight: 0}]", "[chat]"),
        (("13:79", "falls back to `chat`"),),
    ),
    Case("one target may stand in for another", ROUTE % ("[{pool: chat}, {pool: other}]", "[chat, other]")),
    Case("to another pool", ROUTE % ("[{pool: chat}]", "[other]")),
]
