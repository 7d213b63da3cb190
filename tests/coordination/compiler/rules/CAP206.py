"""Replicas that count twice."""

from tests.support.policies import Case

POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: other}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["%s"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
"""
CASES = [
    Case(
        "a replica of another pool",
        POOL % "http://chat-2:8000",
        (("7:21", "stands in pool `chat` already"),),
        also=("REF106",),
    ),
    Case("replicas of its own", POOL % "http://other-2:8000", also=("REF106",)),
]
