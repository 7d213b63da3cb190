"""Reservations that overlap, by mistake perhaps."""

from tests.support.policies import Case

TWO = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: a}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  window: {until: 2026-06-01T00:00:00Z}
---
apiVersion: headway/v1
kind: Reservation
metadata: {name: b}
spec:
  tenant: acme
  pool: chat
  tier: %s
  throughput: {input: 1k tokens/min, output: 1k tokens/min}
  window: {from: %s}
"""
CASES = [
    Case(
        "both hold in May",
        TWO % ("priority", "2026-05-01T00:00:00Z"),
        (
            (
                "13:18",
                "`a` and `b` both promise `acme` throughput in tier `priority` on `chat` from 2026-05-01",
            ),
        ),
    ),
    Case("one after the other", TWO % ("priority", "2026-06-01T00:00:00Z")),
    Case("in different tiers", TWO % ("standard", "2026-05-01T00:00:00Z")),
]
