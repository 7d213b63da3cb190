"""Windows that are over."""

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
  window: {until: %s}
"""
CASES = [
    Case(
        "over for long",
        RESERVATION % "2025-06-01T00:00:00Z",
        (("9:19", "reservation `r` ended 2025-06-01T00:00:00Z"),),
        notes=("checked at 2026-01-01T00:00:00Z",),
    ),
    Case("over at this instant", RESERVATION % "2026-01-01T00:00:00Z", (("9:19", "ended"),)),
    Case("not yet over", RESERVATION % "2026-01-01T00:00:01Z"),
]
