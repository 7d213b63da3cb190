"""Profiles nothing could simulate."""

from tests.support.policies import Case

POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  engine: %s
  profile: %s
  replicas: {urls: ["http://chat:1"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
"""
CASES = [
    Case(
        "misspelt",
        POOL % ("simulated", "llama-3-8b-h100-tp2"),
        (("7:12", "no profile `llama-3-8b-h100-tp2` to simulate; did you mean `llama-3-8b-h100-tp1`?"),),
        notes=("Profiles: ",),
    ),
    Case("known", POOL % ("simulated", "llama-3-8b-h100-tp1")),
    Case("a real engine needs no simulation", POOL % ("vllm", "our-own-hardware")),
]
