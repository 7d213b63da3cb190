"""Changes of one limit that hold at the same time."""

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: q}
spec:
  tenant: acme
  limits:
    - of: requests
      per: 1m
      limit: 600
      scheduled:
        - {limit: 900, window: %s}
        - {limit: 3k, window: %s}
"""
EVENINGS = '{recurs: "FREQ=DAILY", at: "18:00-22:00", zone: Europe/Berlin}'
CASES = [
    Case(
        "one begins while the other lasts",
        QUOTA % ("{from: 2026-06-01T00:00:00Z}", "{from: 2026-12-01T00:00:00Z}"),
        (("12:23", "two limits of requests per 1m are scheduled at once: 900 and 3k"),),
        notes=("Both hold at 2026-12-01T00:00:00Z.",),
    ),
    Case(
        "an evening within a campaign",
        QUOTA % ("{from: 2026-03-28T00:00:00Z, until: 2026-03-30T00:00:00Z}", EVENINGS),
        (("12:23", "scheduled at once"),),
        notes=("Both hold at 2026-03-28T17:00:00Z.",),
    ),
    Case(
        "one ends as the other begins",
        QUOTA % ("{until: 2026-12-01T00:00:00Z}", "{from: 2026-12-01T00:00:00Z}"),
    ),
    Case(
        "evenings and mornings",
        QUOTA % (EVENINGS, '{recurs: "FREQ=DAILY", at: "06:00-09:00", zone: Europe/Berlin}'),
    ),
]
