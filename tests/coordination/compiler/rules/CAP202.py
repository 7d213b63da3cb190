"""Reservations their holder could not use."""

from tests.support.policies import Case

RESERVATION = """\
apiVersion: headway/v1
kind: Reservation
metadata: {name: r}
spec: {tenant: globex, pool: chat, tier: priority, throughput: {input: 1k tokens/min, output: 1k tokens/min}}
---
apiVersion: headway/v1
kind: Tenant
metadata: {name: globex}
spec: {tiers: [%s]}
"""
CASES = [
    Case(
        "a tier its tenant may not ask for",
        RESERVATION % "standard",
        (("4:42", "`globex` is not entitled to tier `priority`"),),
        notes=("entitled to `standard`",),
    ),
    Case("a tier its tenant may ask for", RESERVATION % "standard, priority"),
]
