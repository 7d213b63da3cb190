"""Tiers that downgrade in a circle."""

from tests.support.policies import Case

TIERS = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: priority}
spec: {band: 300, overflow: {downgrade: standard}}
---
apiVersion: headway/v1
kind: Tier
metadata: {name: standard}
spec: {band: 200, overflow: %s}
"""
CASES = [
    Case(
        "two tiers send to each other",
        TIERS % "{downgrade: priority}",
        (("4:41", "downgrade leads back to where it began: priority > standard > priority"),),
    ),
    Case("a tier sends to itself", TIERS % "{downgrade: standard}", (("9:41", "standard > standard"),)),
    Case("a chain ends", TIERS % "refuse"),
]
