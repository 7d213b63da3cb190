"""Limits that never bind."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec:
  tenant: acme
  limits:
    - {of: requests, per: 1m, limit: %s}
    - {of: requests, per: day, limit: 1k}
    - {of: output_tokens, per: 1h, limit: 10}
"""
CASES = [
    Case(
        "a minute allows more than the day",
        QUOTA % "2k",
        (("7:38", "2k of requests per 1m never binds: per day only 1k are allowed"),),
    ),
    Case("as much", QUOTA % "1k"),
]
