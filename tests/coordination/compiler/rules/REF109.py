"""Escalations that help nobody."""

from tests.support.policies import Case

TIER = """\
apiVersion: headway/v1
kind: Tier
metadata: {name: %s}
spec: {service_tier: [%s], band: %s, %s}
"""
PRIORITY, STANDARD = ("priority", "priority, fast", 300), ("standard", "default, standard", 200)
CASES = [
    Case(
        "to itself",
        TIER % (*STANDARD, "escalate_to: standard"),
        (("4:67", "`standard` (band 200) escalates to `standard` (band 200)"),),
        also=("TARGET701",),
    ),
    Case(
        "downwards",
        TIER % (*PRIORITY, "escalate_to: standard"),
        (("4:64", "which does not go before it"),),
        also=("TARGET701",),
    ),
    Case(
        "upwards",
        TIER % (*STANDARD, "escalate_to: priority"),
        (),
        also=("TARGET701",),
    ),
]
