"""Windows that are never in force."""

from tests.support.policies import Case

RESERVATION = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  window: {from: 2026-03-01T00:00:00Z, until: %s}
"""
CASES = [
    Case(
        "inverted",
        RESERVATION % "2026-02-01T00:00:00Z",
        (("9:47", "begins 2026-03-01T00:00:00Z and ends 2026-02-01T00:00:00Z"),),
    ),
    Case("empty", RESERVATION % "2026-03-01T00:00:00Z", (("9:47", "is empty"),)),
    Case("empty, in another zone", RESERVATION % "2026-03-01T01:00:00+01:00", (("9:47", "is empty"),)),
    Case("a second long", RESERVATION % "2026-03-01T00:00:01Z"),
]
