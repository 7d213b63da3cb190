"""Limits below what is reserved."""
# ruff: noqa: E501 - some policies are quoted as they would be written, on one line

from tests.support.policies import Case

QUOTA = """\
apiVersion: headway/v1
kind: Quota
metadata: {name: %s}
spec: {tenant: %s, %s}
"""
RESERVATION = """\
---
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec:
  {tenant: acme, pool: chat, tier: priority, throughput: {input: 100k tokens/min, output: 1k tokens/min}, window: %s}
"""
CASES = [
    Case(
        "per minute",
        QUOTA % ("q", "acme", "limits: [{of: input_tokens, per: 1m, limit: 50k}]") + RESERVATION % "{}",
        (("4:66", "reservation `r` promises 100k of input_tokens per 1m, above the limit of `acme`, 50k"),),
        notes=("pass every limit",),
    ),
    Case(
        "per hour, of both together",
        QUOTA % ("q", "acme", "limits: [{of: total_tokens, per: 1h, limit: 6M}]") + RESERVATION % "{}",
        (("4:66", "promises 6060k of total_tokens per 1h"),),
    ),
    Case(
        "in another tier",
        QUOTA % ("q", "acme", "scope: {tiers: [standard]}, limits: [{of: input_tokens, per: 1m, limit: 50k}]")
        + RESERVATION % "{}",
        (),
    ),
    Case(
        "in office hours the day is enough",
        QUOTA % ("q", "acme", "limits: [{of: input_tokens, per: day, limit: 50M}]")
        + RESERVATION % '{recurs: FREQ=DAILY, at: "09:00-17:00"}',
        (),
    ),
    Case(
        "as much as is reserved",
        QUOTA % ("q", "acme", "limits: [{of: input_tokens, per: 1m, limit: 100k}]") + RESERVATION % "{}",
        (),
    ),
]
