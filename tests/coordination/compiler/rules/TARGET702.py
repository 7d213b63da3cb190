"""Fields without which a policy would do something else."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: sessions}
spec: {rank: 10, match: %s, targets: [{pool: chat}]}
"""
CASES = [
    Case(
        "replicas by name",
        """\
apiVersion: headway/v1
kind: Pool
metadata: {name: chat}
spec:
  model: llama-3-8b
  profile: p
  capacity: {input: 1M tokens/min, output: 100k tokens/min, sequences: 256, kv_tokens: 430k}
  replicas: {inference_pool: models/llama, count: 2}
""",
        (("8:14", "`replicas.inference_pool` of Pool `chat`"),),
        notes=("by `urls` or `dns` only",),
    ),
    Case("a route for some headers", ROUTE % "{headers: {x-team: search}}"),
    Case("a route for those without a session", ROUTE % "{session: false}"),
    Case("a route for a region", ROUTE % "{regions: [eu]}"),
    Case("a route for long prompts", ROUTE % "{prompt_tokens: {min: 8k}}"),
]
