"""Borrowing that changes nothing."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, %s}
"""
CASES = [
    Case(
        "without a guarantee",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, borrow: 1M}]"),
        (("4:78", "`acme` may borrow 1M, on top of no guarantee"),),
        also=("TARGET701",),
    ),
    Case(
        "beyond the limit",
        QUOTA
        % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 1M, borrow: 1500k}]"),
        (("4:94", "1M and 1.5M borrowed are more than the limit of 2M"),),
        also=("TARGET701",),
    ),
    Case(
        "up to the limit",
        QUOTA
        % ("q", "acme", "limits: [{of: total_tokens, per: 1m, limit: 2M, guaranteed: 500k, borrow: 1500k}]"),
        (),
        also=("TARGET701",),
    ),
]
