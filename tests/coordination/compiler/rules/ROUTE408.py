"""Matches that match nothing."""

from tests.support.policies import Case

ROUTE = """\
apiVersion: headway/v1
kind: Route
metadata: {name: long}
spec: {rank: 1, match: {prompt_tokens: {min: %s, max: %s}}, targets: [{pool: chat}]}
"""
LABELLED = """\
apiVersion: headway/v1
kind: Route
metadata: {name: labelled}
spec: {rank: 1, match: {labels: %s}, targets: [{pool: chat}]}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: acme}
spec: {tiers: [priority, standard], labels: %s}
"""
CASES = [
    Case(
        "inverted",
        ROUTE % ("8k", "4k"),
        (("4:25", "no prompt has at least 8,000 and fewer than 4,000 tokens"),),
    ),
    Case("empty", ROUTE % ("4k", "4k"), (("4:25", "no prompt"),)),
    Case(
        "labels nobody has",
        LABELLED % ("{team: chat}", "{team: search}"),
        (("4:25", "no tenant has the labels `team: chat`"),),
    ),
    Case(
        "labels somebody has",
        LABELLED % ("{team: search}", "{team: search, floor: two}"),
        without=("Route/everything",),
    ),
    Case("one length", ROUTE % ("4000", "4001")),
]
