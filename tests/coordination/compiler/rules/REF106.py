"""Objects that nothing uses."""

from tests.support.policies import Case

POOL = """\
apiVersion: headway/v1
kind: Pool
metadata: {name: spare}
spec:
  model: llama-3-8b
  profile: p
  replicas: {urls: ["http://spare:1"]}
  capacity: {input: 1M tokens/min, output: 1M tokens/min, sequences: 1, kv_tokens: 1}
"""
TIER = "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: flex}\nspec: {band: 1}\n"
CASES = [
    Case("a pool without a route", POOL, (("3:18", "Pool `spare` is not used: no route leads to it"),)),
    Case(
        "a model without a pool",
        "apiVersion: headway/v1\nkind: Model\nmetadata: {name: m}\nspec: {context_window: 8k}\n",
        (("3:18", "Model `m` is not used: no pool serves it"),),
        also=("ROUTE403", "ROUTE406"),
    ),
    Case("a tier for nobody", TIER, (("3:18", "Tier `flex` is not used: no tenant is entitled to it"),)),
    Case(
        "a tier that others downgrade to",
        TIER
        + """---
apiVersion: headway/v1
kind: Tier
metadata: {name: priority}
spec: {band: 300, overflow: {downgrade: flex}}
""",
    ),
    Case("silent while something cannot be read", TIER + "---\nkind: Tenant\n", also=("SPEC013",)),
]
