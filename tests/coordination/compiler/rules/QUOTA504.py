"""One limit stated twice."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: acme}
spec: {tenant: acme, limits: [{of: requests, per: 1m, limit: 10}, {of: requests, per: %s, limit: 20}]}
"""
CASES = [
    Case("stated twice", QUOTA % "1m", (("4:72", "quota `acme` limits requests per 1m already"),)),
    Case("two periods", QUOTA % "1h"),
]
