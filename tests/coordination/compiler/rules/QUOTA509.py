"""Bounds of runs that nothing reaches."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, %s}
"""
CASES = [
    Case(
        "branches",
        QUOTA % ("q", "acme", "concurrency: 4, run: {branches: 8}"),
        (("4:54", "a run may have 8 requests in flight, and `acme` only 4 in all"),),
        also=("TARGET701",),
    ),
    Case(
        "tokens of a month",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: month, limit: 1M}], session: {tokens: 2M}"),
        (("4:93", "a session may use 2M tokens, and `acme` 1M in a whole month"),),
        also=("TARGET701",),
    ),
    Case(
        "a run may last for days",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: day, limit: 1M}], run: {tokens: 2M}"),
        (),
        also=("TARGET701",),
    ),
    Case(
        "within",
        QUOTA % ("q", "acme", "concurrency: 8, run: {branches: 8}"),
        (),
        also=("TARGET701",),
    ),
]
