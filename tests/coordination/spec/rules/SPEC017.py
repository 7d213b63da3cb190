"""Fields of which just one is given."""

from tests.support.policies import Case

POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  capacity: {input: 1M tokens/min, output: 100k tokens/min, sequences: 256, kv_tokens: 430k}
  replicas: %s
"""
CASES = [
    Case(
        "replicas of two sorts",
        POOL % '{urls: ["http://chat:1"], dns: "chat:1"}',
        (("8:39", "`replicas` has `urls` and `dns`; only one of `urls`, `dns`, `inference_pool`"),),
    ),
    Case("no replica", POOL % "{urls: []}", (("8:3", "`replicas` has none of"),)),
    Case("replicas of none", POOL % "{count: 3}", (("8:3", "`replicas` has none of"),)),
    Case(
        "two places for a key",
        POOL % '{urls: ["http://chat:1"]}' + "  auth: {env: KEY, file: /key}\n",
        (("9:20", "`auth` has `env` and `file`"),),
    ),
    Case("one of each", POOL % '{urls: ["http://chat:1", "http://chat:2"]}'),
]
