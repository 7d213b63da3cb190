"""Limits above the parent's."""

from tests.support.policies import Case

QUOTAS = """\
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme/web}
spec: {tiers: [standard]}
---
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec: {tenant: acme, scope: %s, limits: [{of: requests, per: 1m, limit: 100}]}
---
apiVersion: headway/v1
kind: Quota
metadata: {name: web}
spec: {tenant: acme/web, scope: %s, limits: [{of: requests, per: %s, limit: %s}]}
"""
CASES = [
    Case(
        "a child's limit cannot be reached",
        QUOTAS % ("{}", "{}", "1m", "101"),
        (("14:77", "101 of requests per 1m can never be reached: `acme` as a whole has 100"),),
    ),
    Case(
        "in a tier of what the parent limits",
        QUOTAS % ("{tiers: [standard, priority]}", "{tiers: [standard]}", "1m", "1k"),
        (("14:94", "1k of requests"),),
    ),
    Case(
        "the parent limits other tiers", QUOTAS % ("{tiers: [priority]}", "{tiers: [standard]}", "1m", "1k")
    ),
    Case("another period", QUOTAS % ("{}", "{}", "1h", "1k")),
    Case("as much as the parent", QUOTAS % ("{}", "{}", "1m", "100")),
]
