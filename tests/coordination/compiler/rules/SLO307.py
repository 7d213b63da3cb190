"""Reservations that lend for longer than their tier promises."""

from tests.support.policies import Case

POLICY = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: priority}
spec: {service_tier: [priority, fast], band: 300, queue: {max_wait: 100ms}, objectives: [%s]}
---
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  tenant: acme
  pool: chat
  tier: priority
  throughput: {input: 100k tokens/min, output: 10k tokens/min}
  %s
"""
QUICK = "{metric: ttft, percentile: 95, target: 400ms}"
SLOW = "{metric: ttft, percentile: 99, target: 2s}"

CASES = [
    Case(
        "as it is unless it is said",
        POLICY % (QUICK, "lend_when_idle: true"),
        (
            (
                "12:9",
                "what `r` lends may take 1s to come back, and `priority` promises a first token within 400ms",
            ),
        ),
        notes=("a shorter `reclaim_within`",),
    ),
    Case(
        "just as long", POLICY % (QUICK, "reclaim_within: 400ms"), (("12:9", "may take 400ms to come back"),)
    ),
    Case("sooner", POLICY % (QUICK, "reclaim_within: 399ms")),
    Case("nothing is lent", POLICY % (QUICK, "lend_when_idle: false")),
    Case("another objective leaves time", POLICY % (f"{QUICK}, {SLOW}", "reclaim_within: 1s")),
    Case("no first token is promised", POLICY % ("{metric: itl, target: 40ms}", "reclaim_within: 1s")),
]
