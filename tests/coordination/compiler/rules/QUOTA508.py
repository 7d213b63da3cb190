"""Rights that are wider below."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

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
        "limits",
        QUOTA % ("q", "acme", "delegation: {weight: true}")
        + CHILDREN
        + QUOTA % ("a", "acme/a", "delegation: {weight: true, limits: true}"),
        (
            (
                "19:59",
                "administrators of `acme/a` may change limits of its children, and those of `acme` above it may not",
            ),
        ),
    ),
    Case(
        "handed down",
        QUOTA % ("q", "acme", "delegation: {limits: true}")
        + CHILDREN
        + QUOTA % ("a", "acme/a", "delegation: {limits: true}"),
        (),
    ),
    Case(
        "nothing is said above",
        CHILDREN[4:] + QUOTA % ("a", "acme/a", "delegation: {limits: true}"),
        (),
    ),
]
