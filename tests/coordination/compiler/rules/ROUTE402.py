"""Routes of one rank that match the same request."""

from tests.support.policies import Case

ROUTES = """\
apiVersion: headway/v1
kind: Route
metadata: {name: a}
spec: {rank: 5, match: %s, targets: [{pool: chat}]}
---
apiVersion: headway/v1
kind: Route
metadata: {name: b}
spec: {rank: %s, match: %s, targets: [{pool: chat}]}
"""
CASES = [
    Case(
        "they share a tier",
        ROUTES % ("{tiers: [priority]}", "5", "{prompt_tokens: {min: 4k}}"),
        (("9:14", "routes `a` and `b`, both of rank 5, match the same requests"),),
        notes=("model `llama-3-8b`, tier `priority`, tenant `acme`, 4,000 prompt tokens",),
    ),
    Case(
        "lengths that meet at a point",
        ROUTES % ("{prompt_tokens: {max: 4k}}", "5", "{prompt_tokens: {min: 4k}}"),
        also=("ROUTE401",),
    ),
    Case("tiers apart", ROUTES % ("{tiers: [priority]}", "5", "{tiers: [standard]}"), also=("ROUTE401",)),
    Case("ranks apart", ROUTES % ("{tiers: [priority]}", "6", "{prompt_tokens: {min: 4k}}")),
]
