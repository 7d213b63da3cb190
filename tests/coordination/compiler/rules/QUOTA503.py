"""Two weights for one request."""

from tests.support.policies import Case

QUOTAS = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: a}
spec: {tenant: acme, scope: %s, weight: 2}
---
apiVersion: headway/v1
kind: Quota
metadata: {name: b}
spec: {tenant: acme, scope: %s, weight: %s}
"""
CASES = [
    Case(
        "the same scope",
        QUOTAS % ("{}", "{}", "3"),
        (("9:41", "quotas `a` and `b` give tenant `acme` the weights 2 and 3"),),
    ),
    Case(
        "scopes that share a tier",
        QUOTAS % ("{tiers: [standard]}", "{tiers: [priority, standard]}", "0.5"),
        (("9:68", "the weights 2 and 0.5"),),
    ),
    Case("one weight", QUOTAS % ("{}", "{}", "2")),
    Case("one is more specific", QUOTAS % ("{}", "{tiers: [priority]}", "3")),
    Case("scopes apart", QUOTAS % ("{tiers: [standard]}", "{tiers: [priority]}", "3")),
]
