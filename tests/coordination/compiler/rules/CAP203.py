"""Pools that do not say what they can do."""

from tests.support.policies import Case

POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://chat:1"]}
"""
CASES = [
    Case("nothing stated", POOL, (("4:1", "pool `chat` states no capacity"),)),
    Case(
        "stated",
        POOL + "  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}\n",
    ),
]
