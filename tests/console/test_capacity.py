"""The capacity a console shows is the capacity the compiler checks: the same windows, added up."""

from __future__ import annotations

from console.mapping.capacity import head_rooms
from coordination.spec import read
from coordination.spec.quantities import read_instant
from tests.support.policies import NEW_YEAR_2026, world_with

OFFICE = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: %s}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 400k tokens/min, output: 0 tokens/min}
  window: %s
"""


def test_a_recurring_reservation_takes_its_part_in_its_hours_only():
    hours = '{recurs: "FREQ=WEEKLY;BYDAY=FR", at: "09:00-18:00", zone: Europe/Berlin}'
    text = OFFICE % ("always", "{}") + "---\n" + OFFICE % ("fridays", hours)
    policy_set, found = read(world_with(text))
    assert found == []
    [room] = head_rooms(policy_set.documents, NEW_YEAR_2026)

    def promised(instant: str) -> int:
        at = read_instant(instant)
        return next(span.ppm for span in room.spans if span.start <= at < span.end)

    # 400k of 2M a minute is a fifth.
    assert promised("2026-01-02T07:59:00Z") == 200_000
    assert promised("2026-01-02T08:00:00Z") == 400_000
    assert promised("2026-01-02T17:00:00Z") == 200_000
    assert promised("2026-07-03T07:00:00Z") == 400_000, "an hour earlier in summer"
    assert room.tightest is not None
    assert room.tightest.ppm == 400_000
    assert [(p.name, len(p.windows) > 1) for p in room.promises] == [("always", False), ("fridays", True)]
