"""Times that a night in autumn has twice."""

from tests.support.policies import Case

RESERVATION = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: office}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  window: %s
"""
CASES = [
    Case(
        "it begins at the first",
        RESERVATION % '{recurs: "FREQ=WEEKLY;BYDAY=SU", at: "01:30-06:00", zone: America/New_York}',
        (
            (
                "9:48",
                "on 2026-11-01 clocks in America/New_York show 01:30 twice, when reservation `office` begins",
            ),
        ),
        notes=("The first of the two counts: it begins 2026-11-01T05:30:00Z.",),
    ),
    Case(
        "and ends at the second",
        RESERVATION % '{recurs: "FREQ=DAILY", at: "20:00-01:30", zone: America/New_York}',
        (("9:38", "show 01:30 twice, when reservation `office` ends"),),
        notes=("The second of the two counts: it ends 2026-11-01T06:30:00Z.",),
    ),
    Case(
        "an hour later",
        RESERVATION % '{recurs: "FREQ=DAILY", at: "03:00-06:00", zone: America/New_York}',
    ),
    Case("without a zone", RESERVATION % '{recurs: "FREQ=DAILY", at: "01:30-06:00"}'),
]
