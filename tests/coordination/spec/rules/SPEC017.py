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
EXPECTATION = """\
apiVersion: headway/v1
kind: Expectation
metadata: {name: e}
spec: {%s}
"""
ASKED = "given: {tenant: acme, model: llama-3-8b}"
GATES = "simulate: {gates: [{metric: availability, target: 99%}]}"
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
    Case(
        "a request and a simulation",
        EXPECTATION % f"{ASKED}, {GATES}",
        (("4:1", "`Expectation` has `given` and `simulate`; only one of"),),
    ),
    Case("neither", EXPECTATION % "expect: {verdict: admit}", (("4:1", "`Expectation` has none of"),)),
    Case("a simulation", EXPECTATION % GATES),
    Case("one of each", POOL % '{urls: ["http://chat:1", "http://chat:2"]}'),
]
