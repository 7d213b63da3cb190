"""References to what does not exist."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

TENANT = "apiVersion: headway/v1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tiers: [standard, %s]}\n"
CASES = [
    Case(
        "a tier that does not exist",
        TENANT % "prioritty",
        (("4:26", "no Tier `prioritty`; did you mean `priority`?"),),
        also=("REF106",),
    ),
    Case("nothing is near", TENANT % "gold", (("4:26", "there is no Tier `gold`"),), also=("REF106",)),
    Case(
        "within an overflow",
        "apiVersion: headway/v1\nkind: Tier\nmetadata: {name: priority}\nspec: {band: 1, overflow: {downgrade: flex}}\n",
        (("4:39", "no Tier `flex`"),),
    ),
    Case(
        "a key of a mapping",
        """\
apiVersion: headway/v1
kind: PriceBook
metadata: {name: p}
spec:
  currency: USD
  entries: [{model: llama-3-8b, uncached_input: 1 USD/1M tokens, cached_input: 1 USD/1M tokens, output: 1 USD/1M tokens}]
  tier_multipliers: {gold: 2}
""",
        (("7:22", "no Tier `gold`"),),
    ),
    Case(
        "a model is meant by its object's name",
        "apiVersion: headway/v1\nkind: Quota\nmetadata: {name: q}\nspec: {tenant: acme, scope: {models: [llama]}}\n",
        (("4:39", "no Model `llama`"),),
    ),
    Case(
        "what exists in another environment only",
        """\
apiVersion: headway/v1
kind: Tier
metadata: {name: flex, environments: [dev]}
spec: {band: 1}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme, environments: [dev, eu]}
spec: {tiers: [standard, priority, flex]}
""",
        (("9:36", "no Tier `flex` in environment `eu`"),),
        notes=("It exists in: dev.",),
    ),
    Case(
        "a document that could not be read is not unknown",
        """\
apiVersion: headway/v1
kind: Tier
metadata: {name: flex}
spec: {bnad: 1}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme}
spec: {tiers: [standard, flex]}
""",
        also=("SPEC005", "SPEC013"),
    ),
    Case("all known", TENANT % "priority"),
]
