"""Times that a day in spring does not have."""

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
        "it would begin within the jump",
        RESERVATION % '{recurs: "FREQ=DAILY", at: "02:30-06:00", zone: Europe/Berlin}',
        (("9:38", "on 2026-03-29 clocks in Europe/Berlin skip 02:30, when reservation `office` begins"),),
        notes=("begins 2026-03-29T01:00:00Z",),
        also=("TIME606",),
    ),
    Case(
        "it would end within the jump",
        RESERVATION % '{recurs: "FREQ=DAILY", at: "22:00-02:30", zone: Europe/Berlin}',
        (("9:38", "when reservation `office` ends"),),
        notes=("ends 2026-03-29T01:00:00Z",),
        also=("TIME606",),
    ),
    Case(
        "half an hour on an island",
        RESERVATION % '{recurs: "FREQ=WEEKLY;BYDAY=SU", at: "02:15-06:00", zone: Australia/Lord_Howe}',
        (("9:48", "on 2026-10-04 clocks in Australia/Lord_Howe skip 02:15"),),
        notes=("begins 2026-10-03T15:30:00Z",),
    ),
    Case(
        "a day without a midnight",
        RESERVATION % '{recurs: "FREQ=WEEKLY;BYDAY=SU", zone: Asia/Beirut}',
        (("9:20", "on 2026-03-29 clocks in Asia/Beirut skip 00:00, when reservation `office` begins"),),
    ),
    Case(
        "day upon day without a midnight between",
        RESERVATION % '{recurs: "FREQ=DAILY", zone: Asia/Beirut}',
    ),
    Case(
        "nothing is left of the hours that day",
        RESERVATION % '{recurs: "FREQ=DAILY", at: "02:15-02:45", zone: Europe/Berlin}',
        (
            ("9:38", "skip 02:15, when reservation `office` begins"),
            ("9:38", "skip 02:45, when reservation `office` ends"),
        ),
        also=("TIME606",),
    ),
    Case(
        "not on a day the rule names",
        RESERVATION % '{recurs: "FREQ=WEEKLY;BYDAY=MO", at: "02:30-06:00", zone: Europe/Berlin}',
    ),
    Case(
        "over before the spring",
        RESERVATION
        % '{until: 2026-03-01T00:00:00Z, recurs: FREQ=DAILY, at: "02:30-06:00", zone: Europe/Berlin}',
    ),
    Case(
        "no summer time there",
        RESERVATION % '{recurs: "FREQ=DAILY", at: "02:30-06:00", zone: Asia/Kolkata}',
    ),
]
