"""Windows whose days never come."""

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
        "a month never has the day",
        RESERVATION % '{recurs: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"}',
        (("9:20", "in force at no instant between 2026-01-01T00:00:00Z and 2027-02-05T00:00:00Z"),),
        notes=("`FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30`",),
    ),
    Case(
        "the bounds leave the weekday out",
        RESERVATION
        % '{from: 2026-06-01T00:00:00Z, until: 2026-06-06T00:00:00Z, recurs: "FREQ=WEEKLY;BYDAY=SU"}',
        (("9:77", "between 2026-06-01T00:00:00Z and 2026-06-06T00:00:00Z"),),
    ),
    Case(
        "a leap day that is not in sight",
        RESERVATION % '{recurs: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"}',
        (("9:20", "at no instant"),),
    ),
    Case("once a year", RESERVATION % '{recurs: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=28"}'),
    Case(
        "it begins after what is in sight",
        RESERVATION % '{from: 2028-01-01T00:00:00Z, recurs: "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29"}',
    ),
    Case(
        "only the hours of the last day are left out",
        RESERVATION % '{until: 2026-01-02T09:00:00Z, recurs: "FREQ=DAILY", at: "08:00-10:00"}',
    ),
]
