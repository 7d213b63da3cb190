"""Lending and guaranteeing too much."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, %s}
"""
CASES = [
    Case(
        "more lent than kept",
        QUOTA
        % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 500k, lend: 600k}]"),
        (("4:94", "600k are lent when idle, and 500k are guaranteed"),),
    ),
    Case(
        "lent of nothing",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, lend: 600k}]"),
        (("4:76", "and nothing is guaranteed"),),
    ),
    Case(
        "more guaranteed than allowed",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 3M}]"),
        (("4:82", "3M are guaranteed of a limit of 2M"),),
    ),
    Case(
        "all of it",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 2M, lend: 2M}]"),
        (),
    ),
]
