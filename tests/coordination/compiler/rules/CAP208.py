"""Guarantees that come to more than there is."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, %s}
"""
CHILDREN = """\
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme/a}
spec: {tiers: [standard]}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme/b}
spec: {tiers: [standard]}
---
"""
CASES = [
    Case(
        "two children of one parent",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 1M}]")
        + CHILDREN
        + QUOTA % ("a", "acme/a", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 600k}]")
        + "---\n"
        + QUOTA % ("b", "acme/b", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 500k}]"),
        (("4:82", "children of `acme` are guaranteed 1.1M of total_tokens per 1m, and it has 1M itself"),),
        notes=(
            "`acme/a` has 600k",
            "`acme/b` has 500k",
        ),
    ),
    Case(
        "of a limit without a guarantee",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 1M}]")
        + CHILDREN
        + QUOTA % ("a", "acme/a", "limits: [{of: total_tokens, per: 1m, limit: 1M, guaranteed: 600k}]")
        + "---\n"
        + QUOTA % ("b", "acme/b", "limits: [{of: total_tokens, per: 1m, limit: 1M, guaranteed: 500k}]"),
        (("4:66", "it has 1M itself"),),
    ),
    Case(
        "just all of it",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 1M}]")
        + CHILDREN
        + QUOTA % ("a", "acme/a", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 500k}]")
        + "---\n"
        + QUOTA % ("b", "acme/b", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 500k}]"),
        (),
    ),
]
