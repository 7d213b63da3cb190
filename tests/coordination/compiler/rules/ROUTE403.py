"""Requests that no route serves."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: everything}
spec: {rank: 1, match: %s, targets: [{pool: chat}]}
---
apiVersion: headway/v1
kind: Model
metadata: {name: llama-3-8b}
spec: {context_window: 128k}
"""
CASES = [
    Case(
        "a tier without a route",
        ROUTE % "{tiers: [standard]}",
        (("8:18", "no route serves model `llama-3-8b` in tier `priority` for `acme`"),),
    ),
    Case(
        "a tenant without a route",
        ROUTE % "{tenants: [acme]}"
        + "---\napiVersion: headway/v1\nkind: Tenant\nmetadata: {name: globex}\nspec: {tiers: [standard]}\n",
        (("8:18", "in tier `standard` for `globex`"),),
    ),
    Case(
        "long prompts only",
        ROUTE % "{prompt_tokens: {min: 10}}",
        (("8:18", "tier `priority` for `acme`"), ("8:18", "tier `standard` for `acme`")),
    ),
    Case(
        "a hole in the middle",
        ROUTE % "{prompt_tokens: {max: 4k}}"
        + """---
apiVersion: headway/v1
kind: Route
metadata: {name: long}
spec: {rank: 2, match: {prompt_tokens: {min: 5k}}, targets: [{pool: chat}]}
""",
        (("8:18", "with 4,000 prompt tokens"), ("8:18", "with 4,000 prompt tokens")),
    ),
    Case("everything served", ROUTE % "{}"),
]
