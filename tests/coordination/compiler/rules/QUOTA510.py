"""Caps that nothing reaches."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, %s}
"""
CHILD = """\
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme/search}
spec: {tiers: [standard]}
---
"""
CASES = [
    Case(
        "more than may be in progress",
        QUOTA % ("q", "acme", "concurrency: 40, caps: {sequences: 64}"),
        (("4:57", "`acme` may run 64 requests in a pool, and have only 40 in progress"),),
    ),
    Case("fewer than may be in progress", QUOTA % ("q", "acme", "concurrency: 400, caps: {sequences: 64}")),
    Case(
        "more than the parent",
        QUOTA % ("q", "acme", "caps: {sequences: 8}")
        + CHILD
        + QUOTA % ("s", "acme/search", "caps: {sequences: 9}"),
        (("14:47", "`acme/search` may run 9 requests in a pool, and `acme`, which it is part of, only 8"),),
    ),
    Case(
        "of some tiers of the parent alone",
        QUOTA % ("q", "acme", "scope: {tiers: [priority]}, caps: {sequences: 8}")
        + CHILD
        + QUOTA % ("s", "acme/search", "caps: {sequences: 9}"),
    ),
    Case(
        "of memory and bytes there is nothing to compare",
        QUOTA % ("q", "acme", "caps: {kv_share: 10%, bytes: 1M}"),
    ),
]
