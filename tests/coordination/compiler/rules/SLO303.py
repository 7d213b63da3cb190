"""Deadlines that a wait may use up."""

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
        "half an hour for a minute",
        TIER % (*STANDARD, "objectives: [{metric: deadline, target: 1m}], queue: {max_wait: 30m}"),
        (("4:94", "may wait 30m, and is to be done within 1m"),),
    ),
    Case(
        "as long as the whole",
        TIER % (*STANDARD, "objectives: [{metric: e2e, target: 30s}], queue: {max_wait: 30s}"),
        (("4:89", "may wait 30s"),),
    ),
    Case(
        "time is left",
        TIER % (*STANDARD, "objectives: [{metric: deadline, target: 24h}], queue: {max_wait: 30m}"),
        (),
    ),
    Case(
        "of one class alone",
        TIER
        % (
            *STANDARD,
            "objectives: [{metric: deadline, target: 1m, uncached_input: {max: 8k}}], queue: {max_wait: 30m}",
        ),
        (("4:94", "may wait 30m, and is to be done within 1m"),),
    ),
]
